package sweep

import (
	"slices"

	"github.com/ranksweep/ranksweep/sweep/trial"
)

// plan gathers the trials that could start now and picks those that fit.
type plan struct {
	snapshot  Snapshot
	jobs      int
	bytes     int64 // the memory that all running trials share; 0 means no bound
	running   map[trial.ID]bool
	used      int64 // estimates of the running trials
	unknown   bool  // some running trial has no estimate
	continues []candidate
	begins    []candidate
}

// candidate is a trial that could start.
type candidate struct {
	launch   Launch
	estimate int64 // bytes; 0 means unknown
}

func newPlan(s Snapshot, live []trial.AttemptID, c Capacity) *plan {
	p := &plan{snapshot: s, jobs: c.Jobs, bytes: c.HostBytes, running: map[trial.ID]bool{}}
	if trial.OnDevice(s.Sweep.Platform) {
		p.bytes = c.DeviceBytes
	}
	for _, id := range live {
		p.running[id.Trial()] = true
	}
	s.each(func(_, _ int, t TrialFacts) {
		if t.open() != nil {
			p.running[t.Trial.ID] = true
		}
	})
	seen := map[trial.ID]bool{}
	s.each(func(l, r int, t TrialFacts) {
		if id := t.Trial.ID; p.running[id] && !seen[id] {
			seen[id] = true
			p.take(p.estimate(l, r, t))
		}
	})
	return p
}

// each visits every trial with its ladder's and its rung's index. A shared trial is visited once per ladder.
func (s Snapshot) each(visit func(ladder, rung int, t TrialFacts)) {
	for l := range s.Ladders {
		for r := range s.Ladders[l].Rungs {
			for _, t := range s.Ladders[l].Rungs[r].Trials {
				visit(l, r, t)
			}
		}
	}
}

// runs reports whether a trial that the ladder waits for is running.
func (p *plan) runs(st standing) bool {
	return slices.ContainsFunc(st.work(), func(w assignedRung) bool {
		return slices.ContainsFunc(w.trials, func(t TrialFacts) bool { return p.running[t.Trial.ID] })
	})
}

// add gathers the candidates of what a ladder waits for.
func (p *plan) add(ladder int, st standing) {
	for _, w := range st.work() {
		for _, t := range w.trials {
			begun := len(t.Attempts) > 0
			if t.state() != trialPending || !begun && slices.Contains(w.closed, t.Candidate) {
				continue
			}
			c := candidate{
				launch: Launch{
					Ladder: ladder, Rank: st.ladder.Rungs[w.index].Rank, Trial: t.Trial.ID, Number: t.nextNumber(),
					Calibration: st.calibration(p.snapshot.Sweep.Platform, t.Candidate, w.index), Checkpoints: t.checkpoints(),
					Screen: t.unscreened(w.screen),
				},
				estimate: p.estimate(ladder, w.index, t),
			}
			if begun {
				p.continues = append(p.continues, c)
			} else {
				p.begins = append(p.begins, c)
			}
		}
	}
}

// launches picks what starts now, and counts it as running.
func (p *plan) launches() []Launch {
	var start []Launch
	for _, c := range append(p.continues, p.begins...) {
		if len(p.running) >= p.jobs {
			break
		}
		if p.running[c.launch.Trial] || !p.fits(c.estimate) {
			continue
		}
		p.running[c.launch.Trial] = true
		p.take(c.estimate)
		start = append(start, c.launch)
	}
	return start
}

// fits reports whether a trial of that estimate may join the running ones. Alone it always may: its worker measures for
// itself and refuses what is over the limit. A trial nobody has measured the like of runs alone until its prediction is in.
func (p *plan) fits(estimate int64) bool {
	if p.bytes == 0 || len(p.running) == 0 {
		return true
	}
	return estimate > 0 && !p.unknown && p.used+estimate <= p.bytes
}

func (p *plan) take(estimate int64) {
	p.used += estimate
	p.unknown = p.unknown || estimate == 0
}

// nextNumber is the number of the trial's next attempt.
func (t TrialFacts) nextNumber() int {
	if len(t.Attempts) == 0 {
		return 1
	}
	return t.Attempts[len(t.Attempts)-1].Number + 1
}

// checkpoints lists the trial's attempts, newest first. Also those that reported no checkpoint: the file may be there though
// the event was lost.
func (t TrialFacts) checkpoints() []trial.AttemptID {
	var ids []trial.AttemptID
	for _, a := range slices.Backward(t.Attempts) {
		ids = append(ids, a.ID)
	}
	return ids
}

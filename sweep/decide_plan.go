package sweep

import (
	"cmp"
	"slices"

	"github.com/ranksweep/ranksweep/sweep/trial"
)

// plan gathers the trials that could start now and picks those that fit.
type plan struct {
	snapshot  Snapshot
	known     *Decider
	jobs      int
	bytes     int64 // the memory that trials share; 0 means no bound
	share     int   // how many of them share it at most: all jobs, or those of a device
	devices   int   // that the jobs are dealt out to
	onDevice  bool
	limit     int64 // bytes that one trial may use; 0 means no bound
	running   map[trial.ID]bool
	worked    []*TrialFacts     // the running trials, each at its first place
	awaited   map[trial.ID]bool // of them, those that some ladder waits for
	foreign   map[trial.ID]bool // of them, those of other sweeps' coordinators that none waits for
	blocked   bool              // some trial that a ladder waits for cannot start yet
	leaving   bool              // some worker is about to exit, which frees its job
	used      []int64           // estimates of the running trials, the largest first
	unknown   bool              // some running trial has no estimate
	alone     bool              // some running trial is to be alone
	apart     bool              // each is anyhow: Capacity.Apart
	resting   map[trial.ID]bool
	peaks     map[likeness]peak // the largest of the sweep's trials; nil until one is asked for
	continues []startable
	begins    []startable
}

// startable is a trial that could start.
type startable struct {
	ladder   int
	standing *standing
	rung     int
	trial    *TrialFacts
	screen   []int
}

func newPlan(d *Decider, s Snapshot, live []trial.AttemptID, c Capacity) *plan {
	p := &plan{
		snapshot: s, known: d, jobs: c.Jobs, bytes: c.HostBytes, share: c.Jobs, devices: max(1, c.Devices), running: d.running(live),
		awaited: map[trial.ID]bool{}, foreign: map[trial.ID]bool{}, onDevice: trial.OnDevice(s.Sweep.Platform), limit: c.limit(s.Sweep),
		resting: c.Resting, apart: c.Apart,
	}
	if c.Apart {
		p.devices = c.Jobs
	}
	if p.onDevice {
		p.bytes = c.DeviceBytes
	}
	if p.onDevice || c.Apart {
		p.share = (c.Jobs + p.devices - 1) / p.devices
	}
	d.eachRunning(s, p.running, func(l, r int, t *TrialFacts) {
		p.worked = append(p.worked, t)
		p.leaving = p.leaving || !t.open()
		if t.elsewhere(s.Sweep.Name) {
			p.foreign[t.Trial.ID] = true
		}
		p.alone = p.alone || p.isolates(t)
		p.take(p.estimate(l, r, t))
	})
	return p
}

// Each visits the ladder's trials with the index of their rung, which is NoRung for a reference.
func (l Ladder) Each(visit func(rung int, t *TrialFacts)) {
	for r := range l.Rungs {
		for i := range l.Rungs[r].Trials {
			visit(r, &l.Rungs[r].Trials[i])
		}
	}
	for i := range l.Scouts {
		t := &l.Scouts[i]
		r := slices.IndexFunc(l.Rungs, func(r Rung) bool { return r.Rank == t.Trial.Rank })
		visit(r, t)
	}
	for i := range l.Reference {
		visit(NoRung, &l.Reference[i])
	}
}

// Each visits the trials of all ladders. One that several ladders share is visited in each.
func (s Snapshot) Each(visit func(l *Ladder, rung int, t *TrialFacts)) {
	for i := range s.Ladders {
		l := &s.Ladders[i]
		l.Each(func(rung int, t *TrialFacts) { visit(l, rung, t) })
	}
}

// elsewhere reports whether the coordinator of another sweep than the named one runs the trial.
func (t *TrialFacts) elsewhere(sweep string) bool {
	return slices.ContainsFunc(t.Attempts, func(a AttemptFacts) bool { return a.Outcome == nil && a.Sweep != "" && a.Sweep != sweep })
}

// runs reports whether a trial that the ladder waits for is running.
func (s standing) runs(running map[trial.ID]bool) bool {
	return slices.ContainsFunc(s.work(), func(w assignedRung) bool {
		return slices.ContainsFunc(w.trials, func(t TrialFacts) bool { return running[t.Trial.ID] })
	})
}

// add gathers the trials that could start of what a ladder waits for.
func (p *plan) add(ladder int, st *standing) {
	for _, w := range st.work() {
		for _, t := range startables(w.trials, w.closed) {
			p.await(startable{ladder, st, w.index, t, w.screen})
		}
	}
}

// startables are those of the trials that are not over, but for what has not begun of closed candidates.
func startables(trials []TrialFacts, closed []int) []*TrialFacts {
	var left []*TrialFacts
	for i := range trials {
		t := &trials[i]
		if t.State().Over() || len(t.Attempts) == 0 && slices.Contains(closed, t.Candidate) {
			continue
		}
		left = append(left, t)
	}
	return left
}

// await keeps a trial that a ladder waits for.
func (p *plan) await(c startable) {
	id := c.trial.Trial.ID
	if p.running[id] {
		p.awaited[id] = true
		delete(p.foreign, id)
		return
	}
	p.keep(c)
}

func (p *plan) keep(c startable) {
	if p.resting[c.trial.Trial.ID] {
		return
	}
	if len(c.trial.Attempts) > 0 {
		p.continues = append(p.continues, c)
	} else {
		p.begins = append(p.begins, c)
	}
}

// busy is how many jobs are taken.
func (p *plan) busy() int { return len(p.running) - len(p.foreign) }

// launches picks what starts now, and counts it as running.
func (p *plan) launches() []Launch {
	var start []Launch
	for _, c := range slices.Concat(p.continues, p.begins) {
		if p.running[c.trial.Trial.ID] {
			continue
		}
		alone := p.isolates(c.trial)
		if p.busy() >= p.jobs || p.alone || alone && len(p.running) > 0 {
			p.blocked = true
			break
		}
		estimate := p.estimate(c.ladder, c.rung, c.trial)
		if !p.fits(estimate) {
			p.blocked = true
			continue
		}
		p.running[c.trial.Trial.ID] = true
		p.alone = alone
		p.take(estimate)
		start = append(start, p.launch(c))
	}
	return start
}

// isolates reports whether nothing else may run while the trial does.
func (p *plan) isolates(t *TrialFacts) bool { return !p.apart && t.shape().alone }

func (p *plan) launch(c startable) Launch {
	l := Launch{
		Ladder: c.ladder, Trial: c.trial.Trial.ID, Number: c.trial.nextNumber(), Checkpoints: c.trial.checkpoints(),
		Alone: c.trial.shape().alone, MicroBatch: c.microBatch(),
		HostBytes: p.hostBytes(c.ladder, c.rung, c.trial), Seconds: p.seconds(c.ladder, c.rung, c.trial),
	}
	if c.rung != NoRung {
		l.Rank = c.standing.ladder.Rungs[c.rung].Rank
		l.Calibration = c.standing.calibration(p.snapshot.Sweep.Platform, c.trial.Candidate, c.rung)
		l.Screen = c.trial.unscreened(c.screen)
	}
	return l
}

// fits reports whether a trial of that estimate may join the running ones. Alone it always may: its worker measures for
// itself and refuses what is over the limit. A trial nobody has measured the like of runs alone until its prediction is in.
// Which trials meet on a device is not known here, so the largest must fit together.
func (p *plan) fits(estimate int64) bool {
	if p.bytes == 0 || len(p.running) == 0 || p.share == 1 {
		return true
	}
	together := estimate
	for _, other := range p.used[:min(len(p.used), p.share-1)] {
		together += other
	}
	return estimate > 0 && !p.unknown && together <= p.bytes
}

func (p *plan) take(estimate int64) {
	if p.unknown = p.unknown || estimate == 0; p.share == 1 {
		return // nothing runs beside it
	}
	at, _ := slices.BinarySearchFunc(p.used, estimate, func(a, b int64) int { return cmp.Compare(b, a) })
	p.used = slices.Insert(p.used, at, estimate)
}

// nextNumber is the number of the trial's next attempt.
func (t *TrialFacts) nextNumber() int {
	if len(t.Attempts) == 0 {
		return 1
	}
	return t.Attempts[len(t.Attempts)-1].Number + 1
}

// checkpoints lists the trial's attempts, newest first. Also those that reported no checkpoint: the file may be there though
// the event was lost.
func (t *TrialFacts) checkpoints() []trial.AttemptID {
	var ids []trial.AttemptID
	for i := range slices.Backward(t.Attempts) {
		ids = append(ids, t.Attempts[i].ID)
	}
	return ids
}

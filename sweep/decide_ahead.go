package sweep

import (
	"maps"
	"slices"

	"github.com/ranksweep/ranksweep/sweep/trial"
)

// A job that nothing waits for trains ahead: what an open ladder has not asked for yet. No ladder sees such a trial before it asks for
// it, so whether and when it ran changes no verdict.

// ahead returns what an open ladder may ask for next. First come ranks that it will climb to whatever the current one shows, unless
// that fails or does not fit, or other ladders may end the climb; then the grid's further seeds, which a claim would rest on, of
// these ranks, the current one and those down to the incumbent.
func (s standing) ahead(info Info, full Ladder) []assignedRung {
	drawn := s.climb.Draw != nil && !s.climb.Draw.Grid
	if s.held || s.scouting || s.screens != nil || drawn || s.ladder.Rungs[s.current].Lost() { // the ladder may end there
		return nil
	}
	rule := ruleOf(info, full)
	lowest, incumbent := s.current, s.current
	if len(s.counted) > 0 {
		lowest, incumbent = s.counted[0], s.counted[s.climb.Incumbent]
	}
	certain := s.current
	if !s.racing {
		certain = min(len(full.Rungs)-1, s.current+s.climb.Certain())
	}
	var work []assignedRung
	for i := s.current + 1; i <= certain; i++ {
		work = append(work, full.beforeAsked(i, rule.GridSeeds[:rule.Begin(i-lowest)]))
	}
	if !rule.Sparing() {
		return work
	}
	for i := range rule.GridSeeds {
		for r := incumbent; r <= certain; r++ {
			work = append(work, full.beforeAsked(r, rule.GridSeeds[i:i+1]))
		}
	}
	return work
}

// beforeAsked is the part of a rung with these seeds of the grid.
func (l Ladder) beforeAsked(index int, seeds []int64) assignedRung {
	_, closed := l.Rungs[index].ending()
	return assignedRung{index: index, trials: l.Rungs[index].grid().asked(seeds).Trials, closed: closed}
}

// eachAhead visits what open ladders would train ahead. A rank above the current one waits until a rank below it was measured and shows
// that it fits by far: its worker judges by what was measured when it starts, and that must not decide whether the rank fits.
func (p *plan) eachAhead(standings []*standing, visit func(ladder int, st *standing, w assignedRung)) {
	platform := p.snapshot.Sweep.Platform
	for i, st := range standings {
		if st.end != endNone {
			continue
		}
		for _, w := range st.ahead(p.snapshot.Sweep, p.snapshot.Ladders[i]) {
			if w.index > st.current && p.limit > 0 {
				w.trials = slices.DeleteFunc(slices.Clone(w.trials), func(t TrialFacts) bool {
					return st.calibration(platform, t.Candidate, w.index) == nil || byFar*p.estimate(i, w.index, &t) > p.limit
				})
			}
			visit(i, st, w)
		}
	}
}

// byFar is how many times the measured peak of a lower rank a trial must be allowed to take to be trained ahead.
const byFar = 2

// startAhead picks trials for the jobs that are left once all that ladders wait for has started. On a GPU a second trial takes its time
// from the first, so there only those devices get one that have none.
func (p *plan) startAhead(standings []*standing) []Launch {
	if p.onDevice {
		p.jobs = min(p.jobs, p.devices)
	}
	if p.blocked || p.busy() >= p.jobs {
		return nil
	}
	p.continues, p.begins = nil, nil
	p.eachAhead(standings, func(i int, st *standing, w assignedRung) {
		for _, t := range startables(w.trials, w.closed) {
			p.keep(startable{i, st, w.index, t, nil})
		}
	})
	return p.launches()
}

// unawaited returns the running trials that no ladder waits for.
func (p *plan) unawaited() []trial.ID {
	var ahead []trial.ID
	for _, t := range p.worked {
		if t.open() && !p.awaited[t.Trial.ID] {
			ahead = append(ahead, t.Trial.ID)
		}
	}
	return ahead
}

// needless returns the live attempts of this sweep whose trials no ladder waits for and none would train ahead any more, while others wait
// for their jobs or nothing is left to wait for. Where trials share a device, those that are trained ahead make room as well.
func (p *plan) needless(live []trial.AttemptID, standings []*standing) []trial.AttemptID {
	crowded := p.onDevice && p.busy() > p.devices
	if !crowded && (!p.blocked || p.leaving) && slices.ContainsFunc(standings, (*standing).open) {
		return nil
	}
	alone, alive := map[trial.ID]bool{}, map[trial.AttemptID]bool{}
	for _, id := range live {
		alone[id.Trial()], alive[id] = !p.awaited[id.Trial()], true
	}
	if !slices.Contains(slices.Collect(maps.Values(alone)), true) {
		return nil
	}
	if !crowded {
		p.eachAhead(standings, func(_ int, _ *standing, w assignedRung) {
			for i := range w.trials {
				delete(alone, w.trials[i].Trial.ID)
			}
		})
	}
	var stop []trial.AttemptID
	for _, t := range p.worked {
		for _, a := range t.Attempts {
			if alone[t.Trial.ID] && a.Outcome == nil && a.Sweep == p.snapshot.Sweep.Name && alive[a.ID] {
				stop = append(stop, a.ID)
			}
		}
	}
	return stop
}

// open reports whether the ladder waits for trials.
func (s *standing) open() bool { return s.end == endNone || s.awaitsReference() }

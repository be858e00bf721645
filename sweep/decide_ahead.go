package sweep

import (
	"slices"

	"github.com/ranksweep/ranksweep/sweep/trial"
)

// A job that nothing waits for trains ahead: what an open ladder has not asked for yet. No ladder sees such a trial before it asks for
// it, so whether and when it ran changes no verdict.

// ahead returns what an open ladder may ask for next. First come ranks that it will climb to whatever the current one shows, unless that
// fails or does not fit, or other ladders may end the climb; then the grid's further seeds, which a claim would rest on, of these ranks, the
// current one and those down to the incumbent.
func (s standing) ahead(info Info, full Ladder) []assignedRung {
	drawn := s.climb.Draw != nil && !s.climb.Draw.Grid
	if s.held || s.scouting || s.screens != nil || drawn || s.fails() {
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

// fails reports whether a trial of the current rung has ended without a loss: the ladder may end there.
func (s standing) fails() bool {
	return slices.ContainsFunc(s.ladder.Rungs[s.current].Trials, func(t TrialFacts) bool {
		state := t.State()
		return state.Over() && state != TrialDone
	})
}

// beforeAsked is the part of a rung with these seeds of the grid.
func (l Ladder) beforeAsked(index int, seeds []int64) assignedRung {
	_, closed := l.Rungs[index].ending()
	return assignedRung{index: index, trials: l.Rungs[index].grid().asked(seeds).Trials, closed: closed}
}

// startAhead picks trials for the jobs that are left once all that ladders wait for has started. On a GPU a second trial takes its time
// from the first, so there only those devices get one that have none.
func (p *plan) startAhead(standings []*standing) []Launch {
	if trial.OnDevice(p.snapshot.Sweep.Platform) {
		p.jobs = min(p.jobs, p.devices)
	}
	if p.blocked || len(p.running) >= p.jobs {
		return nil
	}
	p.continues, p.begins = nil, nil
	for i, st := range standings {
		if st.end != endNone {
			continue
		}
		for _, w := range st.ahead(p.snapshot.Sweep, p.snapshot.Ladders[i]) {
			p.gather(w.trials, func(t *TrialFacts) startable { return startable{i, st, w.index, t, nil} }, w.closed)
		}
	}
	return p.launches()
}

// unawaited returns the running trials that no ladder waits for.
func (p *plan) unawaited() []trial.ID {
	var ahead []trial.ID
	p.known.eachRunning(p.snapshot, p.running, func(_, _ int, t *TrialFacts) {
		if id := t.Trial.ID; t.open() && !p.awaited[id] && !slices.Contains(ahead, id) {
			ahead = append(ahead, id)
		}
	})
	return ahead
}

// needless returns the live attempts of this sweep that train ahead in vain: nothing waits for their trials, and others wait for their
// jobs or nothing is left to wait for.
func (p *plan) needless(live []trial.AttemptID) []trial.AttemptID {
	alone := map[trial.AttemptID]bool{}
	for _, id := range live {
		if !p.awaited[id.Trial()] {
			alone[id] = true
		}
	}
	if len(alone) == 0 {
		return nil
	}
	var stop []trial.AttemptID
	p.known.eachRunning(p.snapshot, p.running, func(_, _ int, t *TrialFacts) {
		for _, a := range t.Attempts {
			if alone[a.ID] && a.Outcome == nil && a.Sweep == p.snapshot.Sweep.Name {
				delete(alone, a.ID)
				stop = append(stop, a.ID)
			}
		}
	})
	return stop
}

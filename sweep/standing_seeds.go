package sweep

import (
	"slices"

	"github.com/ranksweep/ranksweep/sweep/plateau"
)

// needed returns a ladder whose rungs may be seen with fewer trials than they have, where the rule is sparing.
func (l Ladder) needed(rule plateau.Rule) Ladder {
	if rule.Sparing() {
		l.Rungs = slices.Clone(l.Rungs)
	}
	return l
}

// asked returns the rung with its trials of these seeds, and extra ones. Others may be there, for another ladder trained them or the grid
// holds them ready.
func (r Rung) asked(seeds []int64) Rung {
	return r.only(func(t *TrialFacts) bool { return t.Extra || slices.Contains(seeds, t.seed()) })
}

// see leaves a rung the trials that the climb asked for.
func (s *standing) see(full Ladder, index int, asked []int64) {
	if s.climb.Sparing() {
		s.ladder.Rungs[index] = full.Rungs[index].asked(asked)
	}
}

// begin looks at the rung that is worked on. More than half of all seeds make a rung unstable, so that where the first ones were the
// others are trained too.
func (s *standing) begin(full Ladder, index int) {
	s.see(full, index, s.climb.NextSeeds())
	s.end, s.closed = s.ladder.Rungs[index].ending()
	if s.end == endUnstable && s.climb.Sparing() {
		s.climb.WantAll()
		s.see(full, index, s.climb.NextSeeds())
		s.end, s.closed = s.ladder.Rungs[index].ending()
	}
}

// seeAsked sees the rungs that count with the seeds that the climb asked for by now. It reports whether some of those end the ladder,
// which they do once no other is missing.
func (s *standing) seeAsked(full Ladder) bool {
	if !s.climb.Sparing() {
		return false
	}
	for i, index := range s.counted {
		s.see(full, index, s.climb.Asked(i))
		s.chosen[i] = s.ladder.Rungs[index].ChosenRung()
	}
	ends, closed := make([]ending, len(s.counted)), make([][]int, len(s.counted))
	for i, index := range s.counted {
		if ends[i], closed[i] = s.ladder.Rungs[index].ending(); ends[i] == endNone {
			return false
		}
	}
	i := slices.IndexFunc(ends, func(end ending) bool { return end != endRanks })
	if i < 0 {
		return false
	}
	s.current, s.end, s.closed = s.counted[i], ends[i], closed[i]
	return true
}

// leadOf is what a climb over those rungs that are complete would say so far, nil where none is: they were trained ahead of the lowest,
// or that is trained again.
func leadOf(rule plateau.Rule, rungs []Rung, q plateau.Quantiles) *plateau.Verdict {
	climb, n := plateau.NewClimb(rule, q), 0
	for _, r := range rungs {
		done := slices.ContainsFunc(r.Trials, func(t TrialFacts) bool { return t.State() == TrialDone })
		begun := r
		if done && rule.Sparing() {
			begun = r.asked(rule.GridSeeds[:rule.Begin(n)])
		}
		if end, _ := begun.ending(); !done || end != endRanks {
			continue
		}
		climb.Add(r.ChosenRung().losses())
		if n++; climb.Stopped || climb.Draw != nil {
			break
		}
	}
	if n == 0 {
		return nil
	}
	return new(climb.Verdict())
}

// awaited is the part of a rung that the climb waits for where it asked for further seeds of the grid.
func (s standing) awaited(index int) assignedRung {
	_, closed := s.ladder.Rungs[index].ending()
	return assignedRung{index: index, trials: s.ladder.Rungs[index].grid().Trials, closed: closed}
}

// Needed returns a ladder without the trials that its verdict did not ask for: seeds, where that is sparing with the sweep's, and ranks
// that were trained ahead above the one that ended the ladder. Of a ladder that goes on, rungs that were not judged yet stay whole, but
// the one at work has no seeds that were not begun and that nothing waits for yet.
func (l Ladder) Needed(v plateau.Verdict, info Info) Ladder {
	rule := ruleOf(info, l)
	l.Rungs = slices.Clone(l.Rungs)
	last := -1
	if v.Screening != nil {
		last = slices.IndexFunc(l.Rungs, func(r Rung) bool { return r.Rank == v.Screening.From }) - 1
	}
	for i, r := range l.Rungs {
		at := slices.IndexFunc(v.Rungs, func(judged plateau.RungVerdict) bool { return judged.Rank == r.Rank })
		if at < 0 {
			if v.Reason.Code == plateau.ReasonRunning && slices.Contains(v.Reason.Ranks, r.Rank) {
				l.Rungs[i] = r.begunOr(v.Reason.Trials)
			}
			continue
		}
		if last = i; v.Rungs[at].GridSeeds > 0 {
			l.Rungs[i] = r.asked(rule.GridSeeds[:v.Rungs[at].GridSeeds])
		}
	}
	screens := info.Strategy == StrategyScreen
	if v.State == plateau.StateRunning || v.State == plateau.StateOutraced || v.Leads() || screens && v.Screening == nil {
		return l // nothing was trained ahead: what is there was trained before, or for another sweep
	}
	end := last + 1 // the rung that ended the ladder: the first without a judgement, or one that lost a trial and was judged by the others
	of := func(t plateau.Failure) bool { return last >= 0 && t.Rank == l.Rungs[last].Rank }
	switch {
	case v.Reason.Code == plateau.ReasonFailed && slices.ContainsFunc(v.Reason.Trials, of):
		end = last
	case end >= 0 && end < len(l.Rungs) && rule.Sparing():
		l.Rungs[end] = l.Rungs[end].begun(rule.GridSeeds[:rule.Begin(len(v.Rungs))])
	}
	for i := end + 1; i < len(l.Rungs); i++ {
		if screens && l.Rungs[i].Rank >= v.Screening.Rank {
			break
		}
		l.Rungs[i] = Rung{Rank: l.Rungs[i].Rank}
	}
	return l
}

// begunOr is a rung with the trials that were begun, and these.
func (r Rung) begunOr(awaited []plateau.Failure) Rung {
	r.Trials = slices.DeleteFunc(slices.Clone(r.Trials), func(t TrialFacts) bool {
		return len(t.Attempts) == 0 && !slices.ContainsFunc(awaited, func(f plateau.Failure) bool { return f.Trial == string(t.Trial.ID) })
	})
	return r
}

// begun is a rung that was never judged, as it began: with these seeds, or all of them where most of these were unstable (see begin).
func (r Rung) begun(seeds []int64) Rung {
	first := r.asked(seeds)
	if end, _ := first.ending(); end == endUnstable {
		return r
	}
	return first
}

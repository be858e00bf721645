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

// see leaves a rung those of its trials whose seeds the climb asked for, and extra ones. Others may be there, for another ladder trained
// them or the grid holds them ready.
func (s *standing) see(full Ladder, index int, asked []int64) {
	if s.climb.Sparing() {
		s.ladder.Rungs[index] = full.Rungs[index].only(func(t *TrialFacts) bool { return t.Extra || slices.Contains(asked, t.seed()) })
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

// seeAsked sees the rungs that count with the seeds that the climb asked for by now. It reports whether some of those end the ladder.
func (s *standing) seeAsked(full Ladder) (ended bool) {
	if !s.climb.Sparing() {
		return false
	}
	for i, index := range s.counted {
		s.see(full, index, s.climb.Asked(i))
		rung := s.ladder.Rungs[index]
		s.chosen[i] = rung.ChosenRung()
		if end, closed := rung.ending(); end != endRanks && end != endNone && !ended {
			s.current, s.end, s.closed, ended = index, end, closed, true
		}
	}
	return ended
}

// awaited is the part of a rung that the climb waits for where it asked for further seeds of the grid.
func (s standing) awaited(index int) assignedRung {
	_, closed := s.ladder.Rungs[index].ending()
	return assignedRung{index: index, trials: s.ladder.Rungs[index].grid().Trials, closed: closed}
}

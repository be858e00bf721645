package sweep

import (
	"slices"

	"github.com/ranksweep/ranksweep/sweep/plateau"
)

// standScreened is stand for StrategyScreen. It waits for the screened rung, and then climbs around the knee that the truncated losses
// show. So the claim is the rule's, on ranks that were trained.
func standScreened(info Info, l Ladder, q plateau.Quantiles) standing {
	l.Rungs = slices.Clone(l.Rungs)
	s, top := standOnTop(info, l, q)
	if s.end != endRanks {
		return s
	}
	s.screens = nil
	s.screening, _ = l.Rungs[top].screen(ruleOf(info, l), l.Rungs[:top], q)
	return s.climbAround(info, top, top, q)
}

// climbAround climbs from the rung below the screening's knee, and anew one rung lower while the incumbent is the lowest rung of
// the climb, which then has no neighbour below that it was compared with. Only rungs below the index end can be skipped, and the one
// at trained, if any, counts though no climb reaches it.
func (s standing) climbAround(info Info, end, trained int, q plateau.Quantiles) standing {
	l := s.ladder
	knee := slices.IndexFunc(l.Rungs, func(r Rung) bool { return r.Rank == s.screening.Knee })
	reached := -1 // the highest rung that some climb counted: this ladder trained it, whatever others did
	for lowest := max(0, knee-1); ; lowest-- {
		next := walk(info, l, lowest, len(l.Rungs), q)
		next.screening = s.screening
		next.screening.From = l.Rungs[lowest].Rank
		if len(next.counted) == 0 {
			s.ladder, s.current, s.end, s.closed = next.ladder, next.current, next.end, next.closed
			break
		}
		s = next
		reached = max(reached, s.counted[len(s.counted)-1])
		s.addBeyond(l, reached, trained)
		waits := s.end == endNone && (s.climb.Draw == nil || s.climb.Draw.Grid)
		if waits || s.climb.Incumbent > 0 || lowest == 0 {
			break
		}
		s.climb.Forgo()
	}
	s.screening.Skipped = s.skipped(end)
	return s
}

// standOnTop returns the standing at the largest affordable rung, with the rung alone where it counts, and its index. The
// rung's trials wait for their screening from then on.
func standOnTop(info Info, l Ladder, q plateau.Quantiles) (standing, int) {
	s := standing{ladder: l, climb: plateau.NewClimb(ruleOf(info, l), q)}
	for top := len(l.Rungs) - 1; ; top-- {
		s.screens = ranksOf(l.Rungs[:top])
		l.Rungs[top] = l.Rungs[top].toScreen(s.screens)
		s.current = top
		s.end, s.closed = l.Rungs[top].ending()
		if s.end == endOverMemory && top > 0 {
			continue
		}
		if s.end == endRanks {
			s.count(top, l.Rungs[top])
		}
		return s, top
	}
}

// addBeyond lists the rungs above the stop that this ladder trained all the same: they move nothing, but show what was left.
func (s *standing) addBeyond(l Ladder, reached, trained int) {
	if !s.climb.Stopped && s.climb.Draw == nil {
		return
	}
	for i := s.counted[len(s.counted)-1] + 1; i <= max(reached, trained); i++ {
		if i <= reached || i == trained {
			s.count(i, l.Rungs[i])
		}
	}
}

// skipped lists the ranks below the index end that the ladder did without.
func (s standing) skipped(end int) []int {
	ranks := []int{}
	for i, r := range s.ladder.Rungs[:end] {
		if i != s.current && !slices.Contains(s.counted, i) {
			ranks = append(ranks, r.Rank)
		}
	}
	return ranks
}

func ranksOf(rungs []Rung) []int {
	var ranks []int
	for _, r := range rungs {
		ranks = append(ranks, r.Rank)
	}
	return ranks
}

package sweep

import (
	"github.com/ranksweep/ranksweep/sweep/plateau"
)

// standScouted is stand for strategies that scout. It waits for the scout, and climbs around the knee that it shows.
func standScouted(info Info, l Ladder, q plateau.Quantiles) standing {
	s := standing{ladder: l, climb: plateau.NewClimb(ruleOf(info, l), q)}
	for top := len(l.Rungs) - 1; top > 0; top-- {
		scout := l.scoutRung(l.Rungs[top].Rank)
		s.end, s.current, s.scouting, s.screens = endNone, top, true, ranksOf(l.Rungs[:top])
		if len(scout.Trials) == 0 {
			return s
		}
		if s.end, s.closed = scout.ending(); s.end == endOverMemory {
			continue
		}
		if s.end != endRanks {
			return s
		}
		s.scouting, s.screens = false, nil
		s.screening = scout.scouted(ruleOf(info, l), l.Rungs[:top], q)
		if info.Strategy == StrategyCurve {
			s.end, s.screening.Skipped = endScouted, ranksOf(l.Rungs)
			return s
		}
		return s.climbAround(info, len(l.Rungs), -1, q)
	}
	// Nothing above the lowest rank fits, or nothing else is there: there is nothing to scout.
	if info.Strategy == StrategyCurve {
		s.scouting, s.screens = false, nil
		if s.end == endNone {
			s.end = endRanks
		}
		return s
	}
	return walk(info, l, 0, len(l.Rungs), q)
}

// unscouted returns the scouts that the ladder does not hold yet.
func (s standing) unscouted() []ExtraTrial {
	rank := s.rank()
	if !s.scouting || len(s.ladder.scoutRung(rank).Trials) > 0 {
		return nil
	}
	var trials []ExtraTrial
	for _, t := range s.ladder.scouts(s.current) {
		trials = append(trials, ExtraTrial{rank, t})
	}
	return trials
}

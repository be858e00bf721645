package sweep

import (
	"math"
	"slices"

	"github.com/ranksweep/ranksweep/sweep/plateau"
)

// scout races ladders by what their scouts show. No rank is trained by itself before all scouts have ended, so that the race depends
// on finished ones alone. A ladder without a curve takes no part: its scout failed or diverged, or nothing fits but its lowest rank. Nor
// does one of which nothing came but its scout: where such a one leads, the others race without it.
func (h heat) scout() []place {
	for i := range h.ladders {
		if s := h.of(i); s.scouting && s.end == endNone {
			for j := range h.ladders {
				h.places[j].held = h.of(j).screening != nil
			}
			return h.places
		}
	}
	var cells []plateau.Shown
	var numbers []int
	for i := range h.ladders {
		if s := h.of(i); s.screening != nil && !s.scoutDiverged() {
			cells, numbers = append(cells, s.shown()), append(numbers, i)
		}
	}
	leader := plateau.LeadingScout(cells)
	for ; leader >= 0 && h.of(numbers[leader]).failed(); leader = plateau.LeadingScout(cells) {
		cells, numbers = slices.Delete(cells, leader, leader+1), slices.Delete(numbers, leader, leader+1)
	}
	for j, lag := range ruleOf(h.info, h.of(0).ladder).RaceScouts(cells) {
		if lag != nil {
			h.places[numbers[j]] = place{lag: lag, leader: h.ladders[numbers[leader]], best: h.of(numbers[leader]).screening.Rank}
		}
	}
	return h.places
}

// failed reports whether a ladder has come to an end without a rank to recommend.
func (s *standing) failed() bool {
	return s.end != endNone && (len(s.counted) == 0 || s.allDiverged())
}

// shown is what a ladder's scout says of its losses.
func (s *standing) shown() plateau.Shown {
	c := s.screening
	at := bestScouted(c)
	shown := plateau.Shown{Top: c.Losses[len(c.Losses)-1].Mean, Loss: c.Losses[at].Mean, Least: c.Losses[at].Mean, MinGain: c.MinGain}
	for i, rank := range c.Ranks {
		_, high := ScoutError(c.Losses[i].Mean, rank, c.Knee, c.Rank)
		shown.Least = min(shown.Least, c.Losses[i].Mean-high)
	}
	return shown
}

// bestScouted is the index of a curve's lowest loss.
func bestScouted(c *plateau.Screening) int {
	best := 0
	for i := range c.Losses {
		if c.Losses[i].Mean < c.Losses[best].Mean {
			best = i
		}
	}
	return best
}

// scoutDiverged reports whether the trial of the largest rank diverged: its adapters, cut down, say nothing.
func (s *standing) scoutDiverged() bool {
	return s.ladder.scoutRung(s.screening.Rank).ChosenRung().diverged(s.screening.MinGain, s.ladder.guessing())
}

// scoutedOnly is the standing of a ladder that has its scout and no more: it waits for others, or is out.
func (s *standing) scoutedOnly(p place, all Snapshot, ladder int, q plateau.Quantiles) *standing {
	l := all.Ladders[ladder]
	rule := ruleOf(all.Sweep, l)
	curve := *s.screening
	knee := slices.IndexFunc(l.Rungs, func(r Rung) bool { return r.Rank == curve.Knee })
	curve.From, curve.Skipped = 0, ranksOf(l.Rungs)
	short := standing{ladder: l.needed(rule), climb: plateau.NewClimb(rule, q), current: max(0, knee-1), held: p.held, screening: &curve}
	if p.lag != nil {
		short.end, short.lag, short.leader, short.best = endOutraced, p.lag, all.Ladders[p.leader], p.best
	} else {
		curve.From, curve.Skipped = l.Rungs[short.current].Rank, []int{}
	}
	return &short
}

// reasonOutscouted says by how much the curve of a ladder is behind that of another one.
func (s standing) reasonOutscouted(info Info) plateau.Finding {
	c := s.screening
	return plateau.Finding{
		Code: plateau.ReasonOutscouted, Ranks: []int{c.Ranks[bestScouted(c)], s.best}, Values: s.lag.Behind, Gain: &s.lag.Left,
		Of: c.Rank, Value: info.Rule.Confidence, Limit: s.lag.Race.Steps[0].SD / math.Sqrt2, Count: s.leader.Index + 1,
		Name: s.leader.Cell.Axes().String(),
	}
}

package sweep

import (
	"slices"

	"github.com/ranksweep/ranksweep/sweep/plateau"
)

// scout races ladders by what their scouts show. No rank is trained by itself before all scouts have ended, so that the race depends
// on finished ones alone; then the leader climbs, and what its seeds show of the noise decides on those that are still in. A ladder
// without a curve takes no part: its scout failed or diverged, or nothing fits but its lowest rank.
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
	rule := ruleOf(h.info, h.of(0).ladder)
	if len(cells) < 2 || h.out(numbers, rule.RaceScouts(cells, nil)) == len(cells)-1 || rule.NoiseSD > 0 || len(h.info.Seeds) < 2 {
		return h.places
	}
	leader := numbers[plateau.LeadingScout(cells)]
	if h.of(leader).end == endNone {
		for _, i := range numbers {
			if p := &h.places[i]; i != leader && p.lag == nil {
				p.held, p.leads = true, h.of(leader).ladder.Index+1
			}
		}
		return h.places
	}
	if noise := plateau.MeasuredNoise(h.of(leader).gridLosses()); noise != nil {
		h.out(numbers, rule.RaceScouts(cells, noise))
	}
	return h.places
}

// out takes ladders out of the race, those with these numbers among them, and returns how many are.
func (h heat) out(numbers []int, lags []*plateau.Lag) int {
	count := 0
	for j, i := range numbers {
		p := &h.places[i]
		if p.lag == nil && lags[j] != nil {
			leader := h.ladders[numbers[lags[j].Leader]]
			curve := h.standings[leader].screening
			*p = place{lag: lags[j], leader: leader, best: curve.Ranks[bestScouted(curve)]}
		}
		if p.lag != nil {
			count++
		}
	}
	return count
}

// gridLosses are those of the rungs that count, of the grid's seeds.
func (s *standing) gridLosses() []plateau.Losses {
	var all []plateau.Losses
	for _, i := range s.counted {
		all = append(all, s.ladder.Rungs[i].ChosenRung().grid().losses())
	}
	return all
}

// shown is what a ladder's scout says of its lowest loss.
func (s *standing) shown() plateau.Shown {
	c := s.screening
	at := bestScouted(c)
	shown := plateau.Shown{Loss: c.Losses[at].Mean, Least: c.Losses[at].Mean, MinGain: c.MinGain}
	for i, rank := range c.Ranks {
		shown.Least = min(shown.Least, c.Losses[i].Mean-ScoutError(c.Losses[i].Mean, rank, c.Knee))
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
	top := slices.IndexFunc(l.Rungs, func(r Rung) bool { return r.Rank == curve.Rank })
	curve.From, curve.Skipped = 0, ranksOf(l.Rungs)
	short := standing{ladder: l.needed(rule), climb: plateau.NewClimb(rule, q), current: top, held: p.held, leads: p.leads, screening: &curve}
	if p.lag != nil {
		short.end, short.lag, short.leader, short.best = endOutraced, p.lag, all.Ladders[p.leader], p.best
	}
	return &short
}

// reasonOutscouted says by how much the curve of a ladder is behind that of another one.
func (s standing) reasonOutscouted(info Info) plateau.Finding {
	c := s.screening
	return plateau.Finding{
		Code: plateau.ReasonOutscouted, Ranks: []int{c.Ranks[bestScouted(c)], s.best}, Values: s.lag.Behind, Gain: &s.lag.Left,
		Of: c.Rank, Value: info.Rule.Confidence, Count: s.leader.Index + 1, Name: s.leader.Cell.Axes().String(),
	}
}

package main

import (
	"math/rand/v2"

	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/plateau"
)

// scoutSteps is what a scout trains, in steps of one trial: the largest rank, and a tenth at each lower one.
const scoutSteps = 1 + float64(rungs-1)/10

// scoutFormula says what scoutError draws.
const scoutFormula = "seed 0's loss + (U·H(h) − V·L)·min(1, log2(256/r) / log2(256/knee)), with U and V of U(0, 1) once for each ladder, " +
	"h how many halvings r lies below the knee (the cheapest rank truly within 0.5 % of the best), and H and L the largest errors that were " +
	"measured (sweep.ScoutError): too high by 0.3 % of the loss from the knee on, by 0.6, 0.65, 1.3 and 1.65 % below, and too low by 1.05 % " +
	"anywhere; at the top it errs by nothing. The rule's knee on that curve is where the climb begins. Twice the error doubles what is " +
	"added to seed 0's loss; where no knee is seen the curve falls up to the top, so that the climb begins one rank below"

// scoutError draws by how much a scout's losses differ from seed 0's. What was measured is smooth over ranks (experiments/LOG.md,
// 2026-11-29): too high below the knee, for what a small adapter concentrates is spread over a large one, or too low, for a cut-down
// adapter has learned more than a fresh one; above the knee it shrinks evenly to the top, which is trained in full.
func scoutError(src *rand.Rand, t truth) (e [rungs]float64) {
	u, v := src.Float64(), src.Float64()
	knee, top := t.cheapest, rungs-1
	for r := range top {
		low, high := sweep.ScoutError(t.loss[r], ranks[r], ranks[knee], ranks[top])
		tapered := 1.
		if r > knee {
			tapered = float64(top-r) / float64(top-knee)
		}
		e[r] = (u*high - v*low) * tapered
	}
	return e
}

// scouting are the modes of strategy: scout, with a scout as good as was measured and with worse ones.
func scouting() []protocol {
	mode := func(name, scout string, seeds plateau.SeedsPerRank, knee func(plateau.Rule, ladder) int) protocol {
		return protocol{name: name, scout: scout, judge: func(l ladder) call {
			p := ruleFor(l)
			p.SeedsPerRank = seeds
			return climbAround(p, l, knee(p, l))
		}}
	}
	return []protocol{
		mode("scout, seeds as needed", "as measured", plateau.NeededSeeds, erring(1)),
		mode("scout, all seeds", "as measured", plateau.EverySeed, erring(1)),
		mode("scout, twice the error", "twice the error", plateau.NeededSeeds, erring(2)),
		mode("scout, no knee seen", "", plateau.NeededSeeds, func(plateau.Rule, ladder) int { return rungs - 1 }),
	}
}

// erring is the rung of the knee that the rule finds on what a scout shows that errs by so many times the measured error. As in a sweep
// there is next to no noise in it.
func erring(times float64) func(plateau.Rule, ladder) int {
	return func(p plateau.Rule, l ladder) int {
		p.GridSeeds, p.NoiseSD = p.GridSeeds[:1], 1e-9
		c := plateau.NewClimb(p, l.quantiles)
		for r, rank := range ranks {
			seen := l.y[r][0] + times*l.scout[r]
			c.Add(plateau.Losses{Rank: rank, Seeds: p.GridSeeds, ValLoss: []float64{seen}, Complete: true})
		}
		return c.Incumbent
	}
}

// climbAround climbs from the rung below a knee, and anew from one rung lower while the incumbent is the lowest of the climb, as
// sweep.StrategyScout does. TestScoutingIsTheSweeps compares the two.
func climbAround(p plateau.Rule, l ladder, knee int) call {
	var trained [rungs]int
	for lowest := max(0, knee-1); ; lowest-- {
		v, now := climb(p, l, lowest)
		for r := range trained {
			trained[r] = max(trained[r], now[r])
		}
		if lowest == 0 || v.Incumbent() > ranks[lowest] {
			c := answer(v, trained)
			c.steps += scoutSteps
			c.knee = &knee
			return c
		}
	}
}

package main

import (
	"math"
	"slices"

	"gonum.org/v1/gonum/stat/distuv"

	"github.com/ranksweep/ranksweep/sweep/plateau"
)

// choice is a way to recommend a rank of a ladder that was climbed: the index of a rung that counts.
type choice struct {
	name string
	rung func(plateau.Verdict) int
}

// choices are the ways that were compared for ladders without a certified plateau, where nothing is claimed for sure.
func choices() []choice {
	return []choice{
		{"the incumbent", incumbent},
		{"the lowest mean", lowestMean},
		{"cheapest not shown worse than the lowest mean by min_gain", notShownWorse},
		{"cheapest within min_gain of the lowest mean", within(1)},
		{"cheapest within ¾ of min_gain", within(.75)},
		{"cheapest within ½ of min_gain", within(.5)},
		{"expected regret + ¼ of min_gain per doubling", penalised(.25)},
		{"expected regret + ½ of min_gain per doubling", penalised(.5)},
		{"expected regret + min_gain per doubling", penalised(1)},
	}
}

func incumbent(v plateau.Verdict) int {
	return slices.IndexFunc(v.Rungs, func(r plateau.RungVerdict) bool { return r.Rank == v.Incumbent() })
}

func lowestMean(v plateau.Verdict) int {
	best := 0
	for i, r := range v.Rungs {
		if r.ValLoss.Mean < v.Rungs[best].ValLoss.Mean {
			best = i
		}
	}
	return best
}

// notShownWorse takes the moderated standard deviation and its degrees of freedom from the row of the larger rank.
func notShownWorse(v plateau.Verdict) int {
	best := lowestMean(v)
	return slices.IndexFunc(v.Rungs, func(r plateau.RungVerdict) bool {
		row := v.Rungs[best]
		if r.Rank > row.Rank {
			row = r
		}
		loss := r.ValLoss.Mean - v.Rungs[best].ValLoss.Mean
		if row.Gain == nil {
			return loss <= v.MinGain
		}
		level := 1 - (1-confidence)/2
		q := distuv.UnitNormal.Quantile(level)
		if row.DF != nil {
			q = distuv.StudentsT{Sigma: 1, Nu: *row.DF}.Quantile(level)
		}
		return loss-q*row.SD/math.Sqrt(float64(len(row.Seeds))) <= v.MinGain
	})
}

func within(share float64) func(plateau.Verdict) int {
	return func(v plateau.Verdict) int {
		best := v.Rungs[lowestMean(v)].ValLoss.Mean
		return slices.IndexFunc(v.Rungs, func(r plateau.RungVerdict) bool { return r.ValLoss.Mean-best < share*v.MinGain })
	}
}

// penalised takes the least expected regret plus cost. Where the prior of the true losses is flat a rank's expected regret is
// its mean loss but for a constant that all ranks share.
func penalised(perDoubling float64) func(plateau.Verdict) int {
	return func(v plateau.Verdict) int {
		best, least := 0, math.Inf(1)
		for i, r := range v.Rungs {
			if total := r.ValLoss.Mean + perDoubling*v.MinGain*math.Log2(float64(r.Rank)); total < least {
				best, least = i, total
			}
		}
		return best
	}
}

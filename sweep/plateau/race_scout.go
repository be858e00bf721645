package plateau

import (
	"math"
	"slices"

	"gonum.org/v1/gonum/stat/distuv"
)

// Shown is one cell of a race by scouts: what one run shows of all its ranks.
type Shown struct {
	Loss    float64 // the lowest that it shows at any rank
	Least   float64 // the lowest that training at any rank may still reach, the scout's error allowed for
	MinGain float64
}

// Noise is the standard deviation of one loss once what seeds share is removed, in nats.
type Noise struct {
	SD float64
	DF float64 // degrees of freedom that it was measured with
}

// MeasuredNoise is that of the rungs with at least two seeds (ResidualSD); nil where they do not show it.
func MeasuredNoise(rungs []Losses) *Noise {
	several := slices.DeleteFunc(slices.Clone(rungs), func(l Losses) bool { return len(l.Seeds) < 2 })
	sd, ok := ResidualSD(several)
	if !ok {
		return nil
	}
	table := commonSeeds(several)
	return &Noise{sd, float64((len(table) - 1) * (len(table[0]) - 1))}
}

// RaceScouts says which cells certainly end more than min_gain above the leader's loss at every rank, from one run each; nil for the
// others.
//
// The leader is the cell that shows the lowest loss. The scouts' error counts for the others and not for the leader: cut down, an adapter
// rather ends too high. All runs have the same seed, of which nobody measured what it adds. So the noise is the rule's where a person gave
// it, else what the leader's ladder measured, and before there is one CautiousNoise, that of ladders whose seeds share nothing. As a
// cell is looked at with either of the last two, its bound is one-sided at a half of α/2 over the number of other cells (Bonferroni).
// A race of scouts sees the largest ranks, trained to the end, and needs no assumption about what they bring.
func (p Rule) RaceScouts(cells []Shown, measured *Noise) []*Lag {
	lags := make([]*Lag, len(cells))
	leader := LeadingScout(cells)
	for i, c := range cells {
		if i == leader {
			continue
		}
		best := cells[leader]
		left := c.Least - best.Loss
		lo := left - p.scoutWidth((1-p.Confidence)/4/float64(len(cells)-1), c, measured)
		if lo > max(c.MinGain, best.MinGain) {
			lags[i] = &Lag{Leader: leader, Behind: []float64{c.Loss - best.Loss}, Left: Interval{Mean: left, Lo: &lo}}
		}
	}
	return lags
}

// scoutWidth is how far the bound of a difference between two runs lies below it.
func (p Rule) scoutWidth(level float64, c Shown, measured *Noise) float64 {
	normal := distuv.UnitNormal.Quantile(1 - level)
	switch {
	case p.NoiseSD > 0:
		return normal * math.Sqrt2 * p.NoiseSD
	case measured != nil:
		sd := max(measured.SD, NoiseFloor*c.MinGain)
		return distuv.StudentsT{Sigma: 1, Nu: measured.DF}.Quantile(1-level) * math.Sqrt2 * sd
	}
	return normal * math.Sqrt2 * CautiousNoise * math.Abs(c.Loss)
}

// LeadingScout is the index of the cell that shows the lowest loss; -1 of none.
func LeadingScout(cells []Shown) int {
	leader := -1
	for i, c := range cells {
		if leader < 0 || c.Loss < cells[leader].Loss {
			leader = i
		}
	}
	return leader
}

package plateau

import (
	"math"

	"gonum.org/v1/gonum/stat/distuv"
)

// Shown is one cell of a race by scouts: what one run shows of all its ranks.
type Shown struct {
	Loss    float64 // the lowest that it shows at any rank
	Least   float64 // the lowest that training at any rank may still reach, the scout's error allowed for
	MinGain float64
}

// RaceScouts says which cells certainly end more than min_gain above the leader's loss at every rank, from one run each; nil for the others.
//
// The leader is the cell that shows the lowest loss. The scouts' error counts for the others and not for the leader: cut down, an adapter
// rather ends too high. All runs have the same seed, of which nobody measured what it adds. So the noise is the rule's where a person gave
// it, and else CautiousNoise, that of ladders whose seeds share nothing. The bound is one-sided at α/2 over the number of other
// cells (Bonferroni). Here a race sees the largest ranks, trained to the end, and needs no assumption about what they bring.
func (p Rule) RaceScouts(cells []Shown) []*Lag {
	lags := make([]*Lag, len(cells))
	leader := 0
	for i, c := range cells {
		if c.Loss < cells[leader].Loss {
			leader = i
		}
	}
	for i, c := range cells {
		if i == leader {
			continue
		}
		sd := p.NoiseSD
		if sd == 0 {
			sd = CautiousNoise * math.Abs(c.Loss)
		}
		best := cells[leader]
		left := c.Least - best.Loss
		lo := left - distuv.UnitNormal.Quantile(1-(1-p.Confidence)/2/float64(len(cells)-1))*math.Sqrt2*sd
		if lo > max(c.MinGain, best.MinGain) {
			lags[i] = &Lag{Leader: leader, Behind: []float64{c.Loss - best.Loss}, Left: Interval{Mean: left, Lo: &lo}}
		}
	}
	return lags
}

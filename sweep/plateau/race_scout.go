package plateau

import (
	"math"

	"gonum.org/v1/gonum/stat/distuv"
)

// Shown is one cell of a race by scouts: what one run shows of all its ranks.
type Shown struct {
	Top     float64 // the loss of the largest rank, which is trained like any trial
	Loss    float64 // the lowest that it shows at any rank
	Least   float64 // the lowest that training at any rank may still reach, the scout's error allowed for
	MinGain float64
}

// RaceScouts says which cells certainly end more than min_gain above the leader's loss at every rank, from one run each; nil for the
// others.
//
// The leader is the cell with the lowest loss at the largest rank, and that loss is what the others must come near at any of their
// ranks, their scouts' error allowed for. All runs have the same seed, of which nobody measured what it adds. So the noise is the rule's
// where a person gave it, and else CautiousNoise, that of ladders whose seeds share nothing. The bound is one-sided at α/2 over the number
// of other cells (Bonferroni). A race of scouts sees the largest ranks, trained to the end, and needs no assumption about what they bring.
func (p Rule) RaceScouts(cells []Shown) []*Lag {
	lags := make([]*Lag, len(cells))
	leader := LeadingScout(cells)
	for i, c := range cells {
		if i == leader {
			continue
		}
		best := cells[leader]
		sd := CautiousNoise * math.Abs(c.Loss)
		if p.noiseGiven() {
			sd = p.NoiseSD
		}
		step := RaceStep{
			Loss: c.Loss, Leader: best.Top, Allowed: c.Loss - c.Least, Gap: c.Least - best.Top, Seeds: 1, SD: math.Sqrt2 * sd,
			Quantile: distuv.UnitNormal.Quantile(1 - (1-p.Confidence)/2/float64(len(cells)-1)),
		}
		step.Lo = step.Gap - step.Quantile*step.SD
		race := Race{MinGain: max(c.MinGain, best.MinGain), Comparisons: len(cells) - 1, Steps: []RaceStep{step}}
		if step.Lo > race.MinGain {
			lags[i] = &Lag{Leader: leader, Behind: []float64{c.Loss - best.Top}, Left: Interval{Mean: step.Gap, Lo: &step.Lo}, Race: race}
		}
	}
	return lags
}

// LeadingScout is the index of the cell with the lowest loss at the largest rank; -1 of none.
func LeadingScout(cells []Shown) int {
	return leaderOf(cells, func(c Shown) float64 { return c.Top })
}

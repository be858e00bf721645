package plateau

import (
	"math"
	"slices"
)

// recommend returns the index of the rung to recommend, which is not always the incumbent b: b is where the climb goes on from, and it
// may have moved there for want of a plateau below.
//
// A plateau is a claim about b, so b is recommended, unless a lower rung has a better mean: the best of those then. Where nothing is
// certain it is the cheapest rung whose mean lies within min_gain of the best one's: the loss is min_gain for a larger rank, whatever
// the rank, and the regret beyond that for a smaller one (chosen among others: experiments/calibrate/README.md). Either way no lower
// rung has a better mean than the one recommended.
func (c *Climb) recommend(state State) int {
	level := c.levels()
	if state.Certain() {
		return lowest(level[:c.Incumbent+1])
	}
	best := level[lowest(level)]
	return slices.IndexFunc(level, func(y float64) bool { return y-best < c.MinGain })
}

// choice says why the recommended rung is not the incumbent.
func (c *Climb) choice(state State, recommended int) *Finding {
	f := Finding{Code: ChoiceBest, Ranks: []int{c.Rungs[recommended].Rank}}
	other := c.Incumbent
	if best := lowest(c.levels()); state.Certain() {
		f.Code = ChoiceBetter
	} else if best != recommended {
		f.Code, other = ChoiceEnough, best
	}
	f.Over = c.Rungs[other].Rank
	f.Gain = c.gainOver(min(recommended, other), max(recommended, other))
	return &f
}

// gainOver is what rung r won over rung b, by the row that says so where there is one; nil where they share no seed.
func (c *Climb) gainOver(b, r int) *Interval {
	if row := c.Rows[r]; row.Gain != nil && row.Comparison.Incumbent == c.Rungs[b].Rank {
		return row.Gain
	}
	return c.compare(b, r, c.End).comparison(c).Gain
}

// levels are the mean losses of the rungs up to the last that counts over the incumbent's, paired with it by seed, so that a rung that
// lost a seed, or has drawn ones, compares with the others. A larger rank that shares no seed with it has shown nothing.
func (c *Climb) levels() []float64 {
	level := make([]float64, c.End+1)
	for r := range level {
		_, gains := c.paired(c.Incumbent, r)
		switch {
		case len(gains) > 0:
			level[r] = -mean(gains)
		case r > c.Incumbent:
			level[r] = math.Inf(1)
		default:
			level[r] = c.lower(c.Rows[r].ValLoss.Mean) - c.lower(c.Rows[c.Incumbent].ValLoss.Mean)
		}
	}
	return level
}

// lower turns a value where higher ones are better into one where lower ones are.
func (c *Climb) lower(y float64) float64 {
	if c.rule.Maximize {
		return -y
	}
	return y
}

// lowest is the index of the lowest value, the first among equals. Values that differ by rounding alone are equal.
func lowest(level []float64) int {
	const rounding = 1e-12
	best := 0
	for i, y := range level {
		if y < level[best]-rounding*math.Abs(level[best]) {
			best = i
		}
	}
	return best
}

package plateau

import (
	"math"
	"slices"

	"gonum.org/v1/gonum/stat"
	"gonum.org/v1/gonum/stat/distuv"
)

// NoiseFloor bounds every standard deviation from below, as a fraction of min_gain: seeds that agree to the last digit
// must not make a certainty of nothing.
const NoiseFloor = 1e-3

// gain is what rung r won over the incumbent b, paired by seed: positive where r is better.
type gain struct {
	incumbent int     // rank of b
	seeds     []int64 // common to both
	n         int
	d         float64  // mean of y[b,s] − y[r,s]
	pairSD    *float64 // s; nil with one seed
	priorSD   float64  // s₀
	priorDF   float64  // d₀
	sd        float64  // s̃
	df        float64  // ν; +Inf means normal quantiles
	lo, hi    float64
}

// compare measures rung r against rung b with the variance that the pairs of complete rungs up to index upto support:
// s̃² = (d₀·s₀² + (n−1)·s²)/(d₀+n−1), ν = d₀+n−1 (Smyth 2004, section 5). With one common seed and no trend, s̃ is √2
// times noise_sd and the quantiles are normal.
func (c *Climb) compare(b, r, upto int) gain {
	seeds, diffs := c.paired(b, r)
	g := gain{incumbent: c.Rungs[b].Rank, seeds: seeds, n: len(seeds)}
	if g.n == 0 {
		return g
	}
	g.d = mean(diffs)
	own := float64(g.n - 1)
	var s2 float64
	if g.n > 1 {
		s2 = variance(diffs)
		s := math.Sqrt(s2)
		g.pairSD = &s
	}
	t := c.trends[upto]
	g.df = t.df + own
	if g.df > 0 {
		s02 := 0.0
		if t.df > 0 {
			s02 = t.at(c.Rungs[b].Rank, c.Rungs[r].Rank)
		}
		g.priorDF, g.priorSD = t.df, math.Sqrt(s02)
		g.sd = math.Sqrt((t.df*s02 + own*s2) / g.df)
	} else {
		g.sd, g.df = math.Sqrt2*c.noiseSD, math.Inf(1)
	}
	g.sd = max(g.sd, NoiseFloor*c.MinGain)
	half := c.quantile(g.df) * g.standardError()
	g.lo, g.hi = g.d-half, g.d+half
	return g
}

// standardError is that of d.
func (g gain) standardError() float64 { return g.sd / math.Sqrt(float64(g.n)) }

// decide is the rung's decision at min_gain.
func (g gain) decide(minGain float64) StepDecision {
	switch {
	case g.n == 0:
		return DecisionUnresolved
	case g.lo > 0 && g.d >= minGain:
		return DecisionImproved
	case g.hi < 0:
		return DecisionWorse
	case g.hi < minGain:
		return DecisionFlat
	}
	return DecisionUnresolved
}

// comparison is the gain as a verdict's row shows it. Rungs without a common seed have no gain.
func (g gain) comparison(c *Climb) Comparison {
	out := Comparison{Incumbent: g.incumbent, Seeds: g.seeds, Decision: g.decide(c.MinGain)}
	if g.n == 0 {
		return out
	}
	out.Gain = &Interval{Mean: g.d, Lo: &g.lo, Hi: &g.hi}
	out.SD, out.PairSD, out.PriorSD, out.PriorDF = g.sd, g.pairSD, g.priorSD, &g.priorDF
	out.Probability = new(survival((c.MinGain-g.d)/g.standardError(), g.df))
	if !math.IsInf(g.df, 1) {
		out.DF = &g.df
	}
	return out
}

// paired returns the seeds that rungs b and r share, ascending, and the gain of r over b for each: the grid's seeds and,
// where seeds were drawn for both, those too.
func (c *Climb) paired(b, r int) ([]int64, []float64) { return c.gains(b, r, c.drawn[b] && c.drawn[r]) }

// gains is paired with or without the drawn seeds.
func (c *Climb) gains(b, r int, drawn bool) ([]int64, []float64) {
	from, to := &c.Rungs[b], &c.Rungs[r]
	seeds, diffs := make([]int64, 0, len(from.Seeds)), make([]float64, 0, len(from.Seeds))
	for i, s := range from.Seeds {
		j := slices.Index(to.Seeds, s)
		if j < 0 || !drawn && !c.rule.inGrid(s) {
			continue
		}
		diff := from.ValLoss[i] - to.ValLoss[j]
		if c.rule.Maximize {
			diff = -diff
		}
		seeds, diffs = append(seeds, s), append(diffs, diff)
	}
	return seeds, diffs
}

// fitTrend fits the variance trend over the complete rungs so far. A pair's variance is floored before its logarithm is
// taken, as s̃ is.
func (c *Climb) fitTrend() trend {
	floor := NoiseFloor * c.MinGain
	var pairs []pairVariance
	last := -1
	for r := range c.Rungs {
		if seeds, _ := c.gridOf(c.Rungs[r]); !c.Rungs[r].Complete || len(seeds) < 2 {
			continue
		}
		if last >= 0 {
			_, diffs := c.gains(last, r, false)
			if len(diffs) < 2 {
				return trend{}
			}
			x := (math.Log2(float64(c.Rungs[last].Rank)) + math.Log2(float64(c.Rungs[r].Rank))) / 2
			pairs = append(pairs, pairVariance{log2Rank: x, s2: max(variance(diffs), floor*floor), df: float64(len(diffs) - 1)})
		}
		last = r
	}
	return fitTrend(pairs)
}

// quantile is t(1−α/2, ν).
func (c *Climb) quantile(df float64) float64 {
	q, ok := c.quantiles[df]
	if ok {
		return q
	}
	level := 1 - (1-c.rule.Confidence)/2
	if math.IsInf(df, 1) {
		q = distuv.UnitNormal.Quantile(level)
	} else {
		q = distuv.StudentsT{Sigma: 1, Nu: df}.Quantile(level)
	}
	c.quantiles[df] = q
	return q
}

// survival is 1 − T_ν(x).
func survival(x, df float64) float64 {
	if math.IsInf(df, 1) {
		return distuv.UnitNormal.Survival(x)
	}
	return distuv.StudentsT{Sigma: 1, Nu: df}.Survival(x)
}

func mean(x []float64) float64     { return stat.Mean(x, nil) }
func variance(x []float64) float64 { return stat.Variance(x, nil) }

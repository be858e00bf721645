package plateau

import (
	"math"

	"gonum.org/v1/gonum/mathext"
	"gonum.org/v1/gonum/stat"
)

// trendPairs is how many adjacent pairs it takes before the noise may fall with rank; below, one level serves them all.
const trendPairs = 4

// trend is what a ladder's adjacent pairs say together about the variance of one paired gain: a line for ln σ² over
// log2 rank, and the weight d₀ it deserves beside a pair's own variance.
type trend struct {
	intercept, slope float64
	df               float64 // d₀, in degrees of freedom; 0 means that there is no trend to borrow from
}

// pairVariance is the variance s² of the gain between two adjacent complete rungs.
type pairVariance struct {
	log2Rank float64 // mean of the two
	s2       float64
	df       float64 // ν₀, one less than its seeds
}

// fitTrend fits the trend of pairs.
//
// Source: Smyth (2004), Statistical Applications in Genetics and Molecular Biology 3(1), article 3, section 6.2:
// with a pair's ν₀, z = ln s² − ψ(ν₀/2) + ln(ν₀/2) has mean ln σ² and variance ψ′(ν₀/2) where all pairs share σ², so the variance
// of z beyond that estimates ψ′(d₀/2). The line in place of a constant follows limma's trend (Law et al. 2014). Its slope
// is never positive: the noise of the ladders measured so far falls with rank. Three
// cautious departures: the slope is the least-squares slope plus one standard error, because a line fitted to few pairs
// extrapolates a chance fall to the very rungs that decide (experiments/calibrate: a third fewer false plateaus where the
// noise is even); d₀ is at most half the degrees of freedom of the fit, because adjacent pairs share a rung and with it its
// noise (half fewer false plateaus where seeds share nothing); and Smyth's factor exp(ψ(d₀/2) − ln(d₀/2)), which
// makes s₀² smaller, is left out.
func fitTrend(pairs []pairVariance) trend {
	if len(pairs) < 2 {
		return trend{}
	}
	x, z := make([]float64, len(pairs)), make([]float64, len(pairs))
	first := pairs[0].df
	own, df := trigamma(first/2), first // means over the pairs; exact where all are equal
	for i, p := range pairs {
		half := p.df / 2
		if p.df != first {
			own += (trigamma(half) - trigamma(first/2)) / float64(len(pairs))
			df += (p.df - first) / float64(len(pairs))
		}
		x[i] = p.log2Rank
		z[i] = math.Log(p.s2) - mathext.Digamma(half) + math.Log(half)
	}
	t := trend{intercept: stat.Mean(z, nil)}
	residualDF := float64(len(pairs) - 1)
	if len(pairs) >= trendPairs {
		if a, b := stat.LinearRegression(x, z, nil, false); b < 0 {
			residualDF--
			t.slope = min(0, b+slopeError(x, z, a, b, max(residualDF, 1), own))
			t.intercept -= t.slope * stat.Mean(x, nil)
		}
	}
	var rss float64
	for i := range x {
		e := z[i] - t.intercept - t.slope*x[i]
		rss += e * e
	}
	t.df = residualDF * df / 2
	if excess := rss/residualDF - own; excess > 0 {
		t.df = min(t.df, 2*trigammaInverse(excess))
	}
	return t
}

// slopeError is the standard error of a least-squares slope (any text on regression), with a residual variance of at least
// what z has from its own seeds alone.
func slopeError(x, z []float64, intercept, slope, df, least float64) float64 {
	centre := stat.Mean(x, nil)
	var rss, sxx float64
	for i := range x {
		e := z[i] - intercept - slope*x[i]
		rss += e * e
		sxx += (x[i] - centre) * (x[i] - centre)
	}
	return math.Sqrt(max(rss/df, least) / sxx)
}

// at returns the trend's variance for a gain between two ranks: the mean of its values at both, because the two rungs
// bring their noise with them.
func (t trend) at(b, r int) float64 {
	level := func(rank int) float64 { return math.Exp(t.intercept + t.slope*math.Log2(float64(rank))) }
	return (level(b) + level(r)) / 2
}

// trigamma is ψ′(x) = ζ(2, x), for x > 0.
func trigamma(x float64) float64 { return mathext.Zeta(2, x) }

// trigammaInverse solves ψ′(y) = x for x > 0 by Newton's method on 1/ψ′, which is convex and nearly linear, so that it
// converges from below without a safeguard (Smyth 2004, appendix; limma's trigammaInverse).
func trigammaInverse(x float64) float64 {
	if x > 1e7 {
		return 1 / math.Sqrt(x)
	}
	if x < 1e-6 {
		return 1 / x
	}
	y := 0.5 + 1/x
	for range 50 {
		tri := trigamma(y)
		step := tri * (1 - tri/x) / (-2 * mathext.Zeta(3, y))
		y += step
		if -step/y < 1e-8 {
			break
		}
	}
	return y
}

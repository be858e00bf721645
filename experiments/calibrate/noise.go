package main

import (
	"math"
	"math/rand/v2"

	"gonum.org/v1/gonum/stat/distuv"
)

// noise draws what seeds add to a curve.
type noise struct {
	name    string
	formula string
	level   float64 // what 1.8 nats of the curve's formula become
	scale   float64 // what the curve's gains are multiplied by
	// sd is that of one value after removing what seeds share: what a person who gives noise_sd should know.
	sd   float64
	draw func(src *rand.Rand, seeds int) [rungs][]float64
}

func noises() []noise {
	return []noise{
		{
			name: "even", sd: .004, level: 1.8, scale: 1, formula: "N(0, .010) per seed + N(0, .004) per value",
			draw: func(src *rand.Rand, seeds int) [rungs][]float64 {
				return layout(seeds, shared(src, .010), func(int) float64 { return .004 * src.NormFloat64() })
			},
		},
		{
			name: "falling", sd: .0211, level: 4.6, scale: 2.5,
			formula: "curve 4.6 + 2.5·(curve − 1.8); N(0, .037) per seed + a walk over ranks with steps N(0, .033), .025, .022, .013, " +
				".012, .003, .003, .003",
			draw: walk,
		},
		{
			name: "heavy", sd: .004, level: 1.8, scale: 1,
			formula: "N(0, .010) per seed + .004/√3·t(3) per value, so that its standard deviation is .004",
			draw: func(src *rand.Rand, seeds int) [rungs][]float64 {
				t := distuv.StudentsT{Sigma: .004 / math.Sqrt(3), Nu: 3, Src: src}
				return layout(seeds, shared(src, .010), func(int) float64 { return t.Rand() })
			},
		},
		{
			name: "unpaired", sd: math.Hypot(.010, .004), level: 1.8, scale: 1,
			formula: "N(0, .010) + N(0, .004), both per value: seeds share nothing",
			draw: func(src *rand.Rand, seeds int) [rungs][]float64 {
				return layout(seeds, func() float64 { return 0 }, func(int) float64 { return math.Hypot(.010, .004) * src.NormFloat64() })
			},
		},
	}
}

func shared(src *rand.Rand, sd float64) func() float64 {
	return func() float64 { return sd * src.NormFloat64() }
}

// layout adds what the ranks of a seed share and what each value has for itself.
func layout(seeds int, perSeed func() float64, perValue func(rung int) float64) [rungs][]float64 {
	var y [rungs][]float64
	for range seeds {
		common := perSeed()
		for r := range rungs {
			y[r] = append(y[r], common+perValue(r))
		}
	}
	return y
}

// steps are the standard deviations over seeds of the gain from each rank to the next, as measured on a real ladder with
// common random numbers (experiments/LOG.md); the last repeats.
var steps = [rungs - 1]float64{.033, .025, .022, .013, .012, .003, .003, .003} //nolint:gochecknoglobals // a constant

// walk lets a seed's values wander from rank to rank, as independent gains do.
func walk(src *rand.Rand, seeds int) [rungs][]float64 {
	var y [rungs][]float64
	for range seeds {
		at := .037 * src.NormFloat64()
		for r := range rungs {
			if r > 0 {
				at += steps[r-1] * src.NormFloat64()
			}
			y[r] = append(y[r], at)
		}
	}
	return y
}

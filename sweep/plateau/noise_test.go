package plateau

import (
	"math"
	"testing"
)

func TestResidualSD(t *testing.T) {
	t.Parallel()
	seeds := []int64{0, 1, 2}
	for _, test := range []struct {
		name  string
		rungs []Losses
		want  float64
		ok    bool
	}{
		{"additive rungs and seeds leave nothing", []Losses{
			{Seeds: seeds, ValLoss: []float64{3, 4, 5}},
			{Seeds: seeds, ValLoss: []float64{2, 3, 4}},
		}, 0, true},
		// Differences .2 and 0 of two seeds: residuals ±.05, four of them, one degree of freedom.
		{"two by two", []Losses{
			{Seeds: seeds[:2], ValLoss: []float64{1.2, 1}},
			{Seeds: seeds[:2], ValLoss: []float64{1, 1}},
		}, 0.1, true},
		{"only common seeds count, in any order", []Losses{
			{Seeds: []int64{0, 1, 7}, ValLoss: []float64{1.2, 1, 9}},
			{Seeds: []int64{1, 0}, ValLoss: []float64{1, 1}},
		}, 0.1, true},
		{"one seed", []Losses{{Seeds: seeds[:1], ValLoss: []float64{1}}, {Seeds: seeds[:1], ValLoss: []float64{2}}}, 0, false},
		{"one rung", []Losses{{Seeds: seeds, ValLoss: []float64{1, 2, 3}}}, 0, false},
		{"nothing", nil, 0, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got, ok := ResidualSD(test.rungs)
			if ok != test.ok || math.Abs(got-test.want) > 1e-12 {
				t.Errorf("ResidualSD(%v) = %v, %v, want %v, %v", test.rungs, got, ok, test.want, test.ok)
			}
		})
	}
}

func TestSeedSD(t *testing.T) {
	t.Parallel()
	seeds := []int64{0, 1}
	rungs := []Losses{{Seeds: seeds, ValLoss: []float64{3, 5}}, {Seeds: []int64{1, 0, 7}, ValLoss: []float64{6, 2, 99}}}
	// Variances 2 and 8 over the two common seeds.
	if got, ok := SeedSD(rungs); !ok || math.Abs(got-math.Sqrt(5)) > 1e-12 {
		t.Errorf("SeedSD(%v) = %v, %v, want √5", rungs, got, ok)
	}
	if got, ok := SeedSD(rungs[:1]); ok {
		t.Errorf("SeedSD of one rung = %v, want none", got)
	}
}

package main

import (
	"math"
	"testing"

	"github.com/ranksweep/ranksweep/sweep/trial"
)

// TestSparkline: a curve falls from the highest block to the lowest, in no more columns than there are.
func TestSparkline(t *testing.T) {
	t.Parallel()
	curve := func(values ...float64) []trial.StepTrainLoss {
		var c []trial.StepTrainLoss
		for i, v := range values {
			c = append(c, trial.StepTrainLoss{Step: i + 1, TrainLoss: v})
		}
		return c
	}
	for _, test := range []struct {
		values []float64
		width  int
		want   string
	}{
		{[]float64{8, 7, 6, 5, 4, 3, 2, 1}, 60, "█▇▆▅▄▃▂▁"},
		{[]float64{8, 8, 4.5, 4.5, 1, 1}, 3, "█▅▁"},
		{[]float64{2, math.NaN(), 1, math.Inf(1)}, 60, "█ ▁ "},
		{[]float64{3, 3}, 60, "▁▁"},
		{[]float64{math.NaN()}, 60, ""},
		{nil, 60, ""},
	} {
		if got := sparkline(curve(test.values...), test.width); got != test.want {
			t.Errorf("sparkline of %v in %d columns = %q, want %q", test.values, test.width, got, test.want)
		}
	}
}

package trainer_test

import (
	"math"
	"testing"

	"github.com/ranksweep/ranksweep/sweep/trial"
	"github.com/ranksweep/ranksweep/trainer"
)

// TestLearningRate compares with values of transformers 5.23.0's schedules, computed there (see the golden traces for
// whole cosine ones).
func TestLearningRate(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		scheduler string
		warmup    int
		want      []float64 // of steps 1..4 at rate 1
	}{
		"linear":           {"linear", 0, []float64{1, 0.75, 0.5, 0.25}},
		"linear, warm-up":  {"linear", 2, []float64{0, 0.5, 1, 0.5}},
		"cosine":           {"cosine", 0, []float64{1, 0.8535533905932737, 0.5, 0.14644660940672627}},
		"constant":         {"constant", 0, []float64{1, 1, 1, 1}},
		"constant, warmed": {"constant", 2, []float64{0, 0.5, 1, 1}},
		"warmed by name":   {"constant_with_warmup", 3, []float64{0, 1.0 / 3, 2.0 / 3, 1}},
		"all warm-up":      {"linear", 8, []float64{0, 0.125, 0.25, 0.375}},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			spec := trial.TrainSpec{Steps: 4, LearningRate: 1, LRSchedulerType: tc.scheduler, WarmupSteps: tc.warmup}
			for i, want := range tc.want {
				if got := trainer.LearningRate(spec, i+1); !(math.Abs(got-want) <= rateTolerance) {
					t.Errorf("LearningRate of step %d = %v, want %v", i+1, got, want)
				}
			}
		})
	}
}

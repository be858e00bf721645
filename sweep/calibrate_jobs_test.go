package sweep

import (
	"errors"
	"slices"
	"testing"

	"github.com/ranksweep/ranksweep/sweep/trial"
)

func TestFastestJobs(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name     string
		most     int
		speeds   map[int]float64 // 0 does not fit
		want     int
		measured []int
	}{
		{"one per core is fastest", 8, map[int]float64{8: 4, 4: 3}, 8, []int{8, 4}},
		{"fewer are faster", 8, map[int]float64{8: 2, 4: 3, 2: 4, 1: 3.5}, 2, []int{8, 4, 2, 1}},
		{"not clearly faster", 4, map[int]float64{4: 1, 2: 1.04}, 4, []int{4, 2}},
		{"most do not fit", 8, map[int]float64{2: 1, 1: 0.7}, 2, []int{8, 4, 2, 1}},
		{"none fits", 2, map[int]float64{}, 2, []int{2, 1}},
		{"an odd number of cores", 6, map[int]float64{6: 1, 3: 2, 1: 1}, 3, []int{6, 3, 1}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var measured []int
			got, err := FastestJobs(tt.most, func(jobs int) (float64, error) {
				measured = append(measured, jobs)
				return tt.speeds[jobs], nil
			})
			if err != nil || got != tt.want || !slices.Equal(measured, tt.measured) {
				t.Errorf("%d, %v after measuring %v; want %d after %v", got, err, measured, tt.want, tt.measured)
			}
		})
	}
	broken := errors.New("no process")
	if _, err := FastestJobs(4, func(int) (float64, error) { return 0, broken }); !errors.Is(err, broken) {
		t.Errorf("error %v, want %v", err, broken)
	}
}

func TestHoursCountsEveryTrial(t *testing.T) {
	t.Parallel()
	spec := trial.Spec{
		Train: trial.TrainSpec{Steps: 100, BatchSize: 4, GradientAccumulationSteps: 2}, Data: trial.DataSpec{SequenceLength: 128},
	}
	rung := RungPlan{Trials: []PlannedTrial{{Trial: trial.Trial{Spec: spec}}, {Trial: trial.Trial{Spec: spec}}}}
	r := Registration{Ladders: []LadderPlan{{Model: trial.ModelInfo{Params: 124e6}, Rungs: []RungPlan{rung, rung, rung}}}}
	// 6 trials of 100 steps of 1,024 tokens, 4 × 124M FLOP each: 3.05e14, at 1e11 a second for each of 2 cores.
	if got := r.Hours(2); got < 0.42 || got > 0.43 {
		t.Errorf("%g hours, want 0.423", got)
	}
}

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
		memory   int64
		speeds   map[int]float64
		want     int
		measured []int
	}{
		{"one per core is fastest", 8, 0, map[int]float64{1: 1, 2: 2, 4: 3, 8: 4}, 8, []int{1, 2, 4, 8}},
		{"fewer are faster", 8, 0, map[int]float64{1: 3.5, 2: 4, 4: 3}, 2, []int{1, 2, 4}},
		{"not clearly slower", 4, 0, map[int]float64{1: 1, 2: 0.97, 4: 0.96}, 4, []int{1, 2, 4}},
		{"a little slower each time", 4, 0, map[int]float64{1: 1, 2: 0.96, 4: 0.93}, 2, []int{1, 2, 4}},
		{"four do not fit", 8, 399, map[int]float64{1: 1, 2: 2, 4: 4, 8: 8}, 2, []int{1, 2}},
		{"an odd number of cores", 6, 0, map[int]float64{1: 1, 3: 2, 6: 1}, 3, []int{1, 3, 6}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var measured []int
			got, err := FastestJobs(tt.most, tt.memory, func(jobs int) (JobsMeasurement, error) {
				measured = append(measured, jobs)
				return JobsMeasurement{StepsPerSecond: tt.speeds[jobs], Bytes: 100}, nil
			})
			if err != nil || got != tt.want || !slices.Equal(measured, tt.measured) {
				t.Errorf("%d, %v after measuring %v; want %d after %v", got, err, measured, tt.want, tt.measured)
			}
		})
	}
	broken := errors.New("no process")
	if _, err := FastestJobs(4, 0, func(int) (JobsMeasurement, error) { return JobsMeasurement{}, broken }); !errors.Is(err, broken) {
		t.Errorf("error %v, want %v", err, broken)
	}
}

func TestHeaviestCountsEveryTrial(t *testing.T) {
	t.Parallel()
	spec := trial.Spec{
		Train: trial.TrainSpec{Steps: 100, BatchSize: 4, GradientAccumulationSteps: 2}, Data: trial.DataSpec{SequenceLength: 128},
	}
	rung := RungPlan{Trials: []PlannedTrial{{Trial: trial.Trial{Spec: spec}.Brief()}, {Trial: trial.Trial{Spec: spec}.Brief()}}}
	small, large := LadderPlan{Model: trial.ModelInfo{Params: 1e6}, Rungs: []RungPlan{rung}}, LadderPlan{
		Model: trial.ModelInfo{Params: 124e6}, Rungs: []RungPlan{rung, rung, rung},
	}
	r := Registration{Ladders: []LadderPlan{small, large}}
	// 6 trials of 100 steps of 1,024 tokens, 4 × 124M FLOP each, and 2 of 1M: 3.05e14, at 1e11 a second for each of 2 cores.
	heaviest, got := r.Heaviest(2)
	if got < 0.42 || got > 0.43 || heaviest.Model.Params != 124e6 {
		t.Errorf("%g hours and a model of %d parameters, want 0.424 and the larger one", got, heaviest.Model.Params)
	}
}

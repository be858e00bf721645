package trial_test

import (
	"encoding/json"
	"math"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ranksweep/ranksweep/sweep/trial"
)

// TestOnRows compares with what transformers' own Trainer works out (testdata/epochs.py).
func TestOnRows(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("testdata/epochs.json")
	if err != nil {
		t.Fatal(err)
	}
	var golden struct {
		Cases []struct {
			Rows, Batch, Accumulation int
			Epochs                    float64
			WarmupRatio               float64 `json:"warmup_ratio"`
			Steps, Warmup             int
		}
	}
	if err := json.Unmarshal(text, &golden); err != nil || len(golden.Cases) < 100 {
		t.Fatalf("%d cases, %v", len(golden.Cases), err)
	}
	for _, c := range golden.Cases {
		asked := trial.TrainSpec{BatchSize: c.Batch, GradientAccumulationSteps: c.Accumulation, Epochs: c.Epochs, WarmupRatio: c.WarmupRatio}
		want := trial.TrainSpec{
			BatchSize: c.Batch, GradientAccumulationSteps: c.Accumulation, Steps: c.Steps, WarmupSteps: c.Warmup, EvalSteps: (c.Steps + 9) / 10,
		}
		got := asked.OnRows(c.Rows)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%+v: -want +got\n%s", c, diff)
		}
		if again := got.OnRows(7); again != got {
			t.Errorf("%+v: resolved twice it is %+v", c, again)
		}
		// Ours fills the last batch of an epoch, so it sees as many rows or more.
		if seen := got.EpochsAt(got.Steps, c.Rows); seen < c.Epochs-1e-9 {
			t.Errorf("%+v: %v epochs are seen", c, seen)
		}
	}
}

// TestAskedIsNoPartOfATrial: what is resolved neither makes another trial nor is written down.
func TestAskedIsNoPartOfATrial(t *testing.T) {
	t.Parallel()
	spec := trial.Spec{Train: trial.TrainSpec{Steps: 3, BatchSize: 1, GradientAccumulationSteps: 1}}
	asking := spec
	asking.Train.Epochs, asking.Train.WarmupRatio = 3, 0.5
	if a, b := trial.New(spec, "m", "d", "go").ID, trial.New(asking, "m", "d", "go").ID; a != b {
		t.Errorf("trials %s and %s differ", a, b)
	}
	if at := spec.Train.EpochsAt(3, 2); math.Abs(at-1.5) > 1e-12 || spec.Train.EpochsAt(3, 0) != 0 {
		t.Errorf("3 steps of 2 rows are %v epochs", at)
	}
}

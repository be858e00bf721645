package trainer_test

import (
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/ranksweep/ranksweep/sweep/lora"
	"github.com/ranksweep/ranksweep/sweep/trial"
	"github.com/ranksweep/ranksweep/trainer"
	"github.com/ranksweep/ranksweep/trainer/backend"
	"github.com/ranksweep/ranksweep/trainer/weights"
)

// Tolerances against float32 PyTorch 2.15.0 with PEFT 0.21.2: about ten times the worst difference between PyTorch in
// float32 and in float64 (in brackets), because another float32 program rounds as far from the truth.
const (
	lossTolerance   = 2e-5  // 1.8e-6, losses of 7 to 8
	normTolerance   = 1e-5  // 4e-7, relative
	weightTolerance = 5e-5  // 1e-6, weights that moved by 1e-2
	rateTolerance   = 1e-15 // the same formula in float64
)

// goldenTrace is one start of a golden trace.json: 20 steps of AdamW.
type goldenTrace struct {
	Loss     []float64 `json:"loss"`
	GradNorm []float64 `json:"grad_norm"`
	LR       []float64 `json:"lr"`
	Val      []struct {
		Step int     `json:"after_steps"`
		Loss float64 `json:"loss"`
	} `json:"val"`
}

// goldenCases are the GPT-2 cases without biases.
func goldenCases() map[string]lora.Spec {
	return map[string]lora.Spec{
		"gpt2_c_attn_r8":     {Rank: 8, Alpha: 16, TargetModules: lora.Targets{List: []string{"c_attn"}}, Init: "kaiming"},
		"gpt2_attn_mlp_r4":   {Rank: 4, Alpha: 8, TargetModules: lora.Targets{List: []string{"c_attn", "c_proj", "c_fc"}}, Init: "kaiming"},
		"gpt2_all_linear_r4": {Rank: 4, Alpha: 8, TargetModules: lora.Targets{Pattern: lora.AllLinear}, Init: "kaiming"},
	}
}

// TestRunGoldenTraces trains what PyTorch with PEFT trained, through Run itself: the golden batches are the corpus, the
// golden start is lora.init_adapter.
func TestRunGoldenTraces(t *testing.T) {
	t.Parallel()
	starts := map[string]string{"init.safetensors": "zero_B", "seeded.safetensors": "seeded_B"}
	for name, lora := range goldenCases() {
		for file, start := range starts {
			t.Run(name+"/"+start, func(t *testing.T) {
				t.Parallel()
				onBackends(t, func(t *testing.T, c backend.Choice) {
					t.Helper()
					spec := tinySpec()
					spec.LoRA = lora
					spec.LoRA.InitAdapter = adapterFolder(t, filepath.Join(goldenDir, name, file), lora)
					checkTrace(t, assign(t, c, spec), filepath.Join(goldenDir, name), start)
				})
			})
		}
	}
}

// adapterFolder makes a PEFT folder of bare tensors.
func adapterFolder(t *testing.T, file string, adapter lora.Spec) string {
	t.Helper()
	tensors, err := weights.ReadFile(file)
	must(t, err)
	dir := filepath.Join(t.TempDir(), "init")
	must(t, weights.WriteAdapter(dir,
		weights.Adapter{Config: weights.NewAdapterConfig("tiny-gpt2", adapter, []lora.Module{{Conv1D: true}}), Tensors: tensors}))
	return dir
}

func checkTrace(t *testing.T, a trial.Assignment, dir, start string) {
	t.Helper()
	var file map[string]goldenTrace
	var raw struct {
		Zero   goldenTrace `json:"zero_B"`
		Seeded goldenTrace `json:"seeded_B"`
	}
	readJSON(t, filepath.Join(dir, "trace.json"), &raw)
	file = map[string]goldenTrace{"zero_B": raw.Zero, "seeded_B": raw.Seeded}
	want := file[start]
	attempt, rec := t.TempDir(), &recorder{}
	must(t, trainer.Run(t.Context(), a, attempt, rec.emit))
	if o := rec.outcome(t); o.State != trial.OutcomeDone {
		t.Fatalf("outcome %+v", o)
	}
	points := rec.points()
	for i := range want.Loss {
		p := points[i+1]
		near(t, "loss", i+1, p.TrainLoss, want.Loss[i], lossTolerance)
		near(t, "grad_norm", i+1, p.GradNorm, want.GradNorm[i], normTolerance*want.GradNorm[i])
		near(t, "lr", i+1, p.LearningRate, want.LR[i], rateTolerance)
	}
	got := rec.evaluations()
	for _, v := range want.Val {
		near(t, "val", v.Step, got[v.Step], v.Loss, lossTolerance)
	}
	final := readAdapter(t, filepath.Join(attempt, trainer.LastFolder(*rec.events[len(rec.events)-1].Outcome)))
	for name, tensor := range readAdapter(t, filepath.Join(dir, "final_"+start)) {
		if d := maxDiff(final[name].Data, tensor.Data); !(d <= weightTolerance) {
			t.Errorf("final %s differs by %g", name, d)
		}
	}
	if _, err := os.Stat(filepath.Join(attempt, "checkpoints")); err == nil {
		t.Error("checkpoints are left behind by a finished trial")
	}
}

func near(t *testing.T, what string, step int, got, want, tolerance float64) {
	t.Helper()
	if !(math.Abs(got-want) <= tolerance) {
		t.Errorf("%s of step %d = %.9g, want %.9g ± %.2g", what, step, got, want, tolerance)
	}
}

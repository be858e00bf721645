package trainer_test

import (
	"errors"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ranksweep/ranksweep/sweep/lora"
	"github.com/ranksweep/ranksweep/sweep/trial"
	"github.com/ranksweep/ranksweep/trainer"
	"github.com/ranksweep/ranksweep/trainer/backend"
	"github.com/ranksweep/ranksweep/trainer/model"
	"github.com/ranksweep/ranksweep/trainer/weights"
)

// trained is an adapter that PEFT trained: rank 8, alpha 16, on c_attn.
const trained = goldenDir + "/gpt2_c_attn_r8/final_seeded_B"

// TestInitAdapterKeepsTheFunction starts ladders of ranks, policies of alpha and rsLoRA from one adapter: before the first
// step each scores what the adapter scores.
func TestInitAdapterKeepsTheFunction(t *testing.T) {
	t.Parallel()
	c := resolve(t, backend.PlatformGo)
	tests := map[string]lora.Spec{
		"same rank":                {Rank: 8, Alpha: 16},
		"larger rank, alpha fixed": {Rank: 32, Alpha: 16},
		"larger rank, alpha 2r":    {Rank: 16, Alpha: 32},
		"rsLoRA":                   {Rank: 16, Alpha: 16, UseRSLoRA: true},
		"gaussian":                 {Rank: 12, Alpha: 16, Init: "gaussian"},
	}
	for name, lora := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			spec := tinySpec()
			spec.LoRA = lora
			spec.LoRA.TargetModules.List = []string{"c_attn", "c_fc"} // c_fc starts fresh
			spec.LoRA.InitAdapter = trained
			a := assign(t, c, spec)
			rec := &recorder{limit: 3}
			if err := trainer.Run(t.Context(), a, t.TempDir(), rec.emit); !errors.Is(err, errKilled) {
				t.Fatal(err)
			}
			want, err := trainer.Evaluate(t.Context(), trainer.EvaluateOptions{
				Model: a.Model, Adapter: trained, Data: a.Trial.Spec.Data.Validation, BatchSize: 2, Backend: c,
			})
			must(t, err)
			if got := rec.evaluations()[0]; !(math.Abs(got-want.Loss) <= 1e-6) { // float32 rounding of a longer sum
				t.Errorf("loss before the first step = %v, want the adapter's %v", got, want.Loss)
			}
		})
	}
}

// TestInitAdapterPads: the added rows of A are those of a fresh adapter, so ladders stay fair; the added columns of B are 0.
func TestInitAdapterPads(t *testing.T) {
	t.Parallel()
	targets, err := lora.MatchTargets(tinyInfo(t).Modules, lora.Targets{List: []string{"c_attn"}})
	must(t, err)
	lora := lora.Spec{Rank: 16, Alpha: 16, Init: "kaiming", InitAdapter: trained}
	config, base := tinyBase(t)
	got, err := trainer.StartingAdapter(config, base, targets, lora, 3)
	must(t, err)
	fresh, err := model.InitAdapter(config, base, targets, lora, 3)
	must(t, err)
	from := readAdapter(t, trained)
	for _, m := range targets {
		a, b := weights.KeyA(m.Name), weights.KeyB(m.Name)
		want := append(append([]float32{}, from[a].Data...), fresh[a].Data[8*m.In:]...)
		if diff := cmp.Diff(want, got[a].Data); diff != "" {
			t.Errorf("%s: %s", a, diff)
		}
		for i := range m.Out {
			for j := range 16 {
				want := float32(0)
				if j < 8 {
					want = 2 * from[b].Data[i*8+j] // scaling 2 before, 1 now
				}
				if got[b].Data[i*16+j] != want {
					t.Fatalf("%s[%d,%d] = %v, want %v", b, i, j, got[b].Data[i*16+j], want)
				}
			}
		}
	}
}

func TestInitAdapterRefuses(t *testing.T) {
	t.Parallel()
	info := tinyInfo(t)
	const bias = "weights/testdata/gpt2-bias-lora-only"
	for name, tc := range map[string]struct {
		lora lora.Spec
		want string
	}{
		"module not there": {
			lora.Spec{TargetModules: lora.Targets{List: []string{"c_fc"}}, InitAdapter: trained},
			"transformer.h.0.attn.c_attn.lora_A.weight",
		},
		"no folder": {lora.Spec{InitAdapter: "testdata/none"}, "adapter_config.json"},
		"bias not trained": {
			lora.Spec{InitAdapter: bias},
			"the trial does not train its tensor base_model.model.transformer.h.0.attn.c_attn.base_layer.bias",
		},
		"of another model": {
			lora.Spec{InitAdapter: "weights/testdata/llama-dora-r4"},
			"model.layers.0.mlp.up_proj.lora_A.weight is of a module that the model does not have",
		},
		"of another width":   {lora.Spec{InitAdapter: wider(t)}, "has shape [2 32] and 64 values, want [2 64]"},
		"DoRA not trained":   {lora.Spec{InitAdapter: withDoRA(t)}, "write use_dora: true"},
		"another is trained": {lora.Spec{InitAdapter: bias, Bias: lora.BiasLoRAOnly, Init: lora.InitPiSSA}, "two different starts"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := tc.lora
			l.Rank, l.Alpha = 8, 16
			if l.TargetModules.List == nil {
				l.TargetModules.List = []string{"c_attn"}
			}
			_, err := trainer.CheckStart(info, l)
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("CheckStart = %v, want %q", err, tc.want)
			}
			if l.Init == "" && !errors.Is(err, trial.ErrInput) {
				t.Errorf("CheckStart = %v, want ErrInput", err)
			}
		})
	}
}

// wider is an adapter for a model of half the width.
func wider(t *testing.T) string {
	t.Helper()
	const module = "transformer.h.0.attn.c_attn"
	l := lora.Spec{Rank: 2, Alpha: 2, TargetModules: lora.Targets{List: []string{module}}}
	return writeAdapter(t, l, map[string]weights.Array{
		weights.KeyA(module): {Shape: []int{2, 32}, Data: make([]float32, 64)},
		weights.KeyB(module): {Shape: []int{192, 2}, Data: make([]float32, 384)},
	})
}

func withDoRA(t *testing.T) string {
	t.Helper()
	config, base := tinyBase(t)
	l := lora.Spec{Rank: 2, Alpha: 2, UseDoRA: true, TargetModules: lora.Targets{List: []string{"c_attn"}}}
	targets, err := l.Match(config.Modules())
	must(t, err)
	fresh, err := model.InitAdapter(config, base, targets, l, 1)
	must(t, err)
	return writeAdapter(t, l, fresh)
}

func writeAdapter(t *testing.T, l lora.Spec, tensors map[string]weights.Array) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "adapter")
	must(t, weights.WriteAdapter(dir,
		weights.Adapter{Config: weights.NewAdapterConfig("tiny-gpt2", l, []lora.Module{{Conv1D: true}}), Tensors: tensors}))
	return dir
}

// TestInitAdapterTruncates: an adapter of rank 8 begins at rank 3 with the best update of that rank, and one whose update has rank 3
// is not changed by it.
func TestInitAdapterTruncates(t *testing.T) {
	t.Parallel()
	c := resolve(t, backend.PlatformGo)
	config, base := tinyBase(t)
	low := lora.Spec{Rank: 3, Alpha: 16, InitAdapter: trained, TargetModules: lora.Targets{List: []string{"c_attn"}}}
	targets, err := low.Match(config.Modules())
	must(t, err)
	start, err := trainer.StartingAdapter(config, base, targets, low, 0)
	must(t, err)
	low.InitAdapter = ""
	truncated := writeAdapter(t, low, start)
	score := func(adapter string) float64 {
		spec := tinySpec()
		a := assign(t, c, spec)
		e, err := trainer.Evaluate(t.Context(),
			trainer.EvaluateOptions{Model: a.Model, Adapter: adapter, Data: a.Trial.Spec.Data.Validation, BatchSize: 2, Backend: c})
		must(t, err)
		return e.Loss
	}
	high := lora.Spec{Rank: 8, Alpha: 16, InitAdapter: truncated, TargetModules: low.TargetModules}
	back := low
	back.InitAdapter, back.Alpha = writeAdapter(t, high, padded(t, config, base, targets, high)), 5
	again, err := trainer.StartingAdapter(config, base, targets, back, 0)
	must(t, err)
	back.InitAdapter = ""
	want, got := score(truncated), score(writeAdapter(t, back, again))
	if !(math.Abs(got-want) <= 1e-6) { // float32 rounding of the factors
		t.Errorf("truncated to its own rank, with another alpha: loss %v, want %v", got, want)
	}
	if full := score(trained); math.Abs(full-want) < 1e-5 {
		t.Errorf("truncation from 8 to 3 changed nothing: %v and %v", full, want)
	}
}

func padded(t *testing.T, c model.Config, base map[string]weights.Array, targets []lora.Module,
	l lora.Spec,
) map[string]weights.Array {
	t.Helper()
	start, err := trainer.StartingAdapter(c, base, targets, l, 0)
	must(t, err)
	return start
}

// tinyBase reads the golden GPT-2.
func tinyBase(t *testing.T) (model.Config, map[string]weights.Array) {
	t.Helper()
	return readTiny(t, tinyModel)
}

// readTiny reads a golden model.
func readTiny(t *testing.T, dir string) (model.Config, map[string]weights.Array) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "config.json"))
	must(t, err)
	config, err := model.ParseConfig(text)
	must(t, err)
	base, err := weights.ReadModelTo(os.DirFS(dir), config.Weights(), func(string, int64) io.Writer { return nil })
	must(t, err)
	return config, base
}

func TestInitAdapterChanged(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, name := range []string{"adapter_config.json", "adapter_model.safetensors"} {
		b, err := os.ReadFile(filepath.Join(trained, name))
		must(t, err)
		must(t, os.WriteFile(filepath.Join(dir, name), b, 0o600))
	}
	sum, err := trainer.AdapterSum(dir)
	must(t, err)
	lora := lora.Spec{
		Rank: 8, Alpha: 16, InitAdapter: dir, InitAdapterSHA256: sum,
		TargetModules: lora.Targets{List: []string{"c_attn"}},
	}
	warnings, err := trainer.CheckStart(tinyInfo(t), lora)
	must(t, err)
	if len(warnings) > 0 {
		t.Errorf("warnings %q of an adapter of this model", warnings)
	}
	other := tinyInfo(t)
	other.Reference = "owner/other"
	warnings, err = trainer.CheckStart(other, lora)
	if must(t, err); len(warnings) != 1 || !strings.Contains(warnings[0], "it was trained on tiny-gpt2") {
		t.Errorf("warnings %q of an adapter of another model", warnings)
	}
	must(t, os.WriteFile(filepath.Join(dir, "adapter_config.json"), []byte("{}"), 0o600))
	if _, err := trainer.CheckStart(tinyInfo(t), lora); err == nil || !strings.Contains(err.Error(), "have changed") {
		t.Errorf("CheckStart = %v, want an error about changed files", err)
	}
}

package trainer_test

import (
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ranksweep/ranksweep/sweep"
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
	tests := map[string]sweep.LoRASpec{
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
	targets, err := model.Match(tinyInfo(t).Modules, sweep.Targets{List: []string{"c_attn"}})
	must(t, err)
	lora := sweep.LoRASpec{Rank: 16, Alpha: 16, Init: "kaiming", InitAdapter: trained}
	got, err := trainer.StartingAdapter(targets, lora, 3)
	must(t, err)
	from, fresh := readAdapter(t, trained), model.InitAdapter(targets, lora, 3)
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
	modules := tinyInfo(t).Modules
	tests := map[string]struct {
		rank    int
		targets []string
		dir     string
		want    string
	}{
		"smaller rank":     {4, []string{"c_attn"}, trained, "rank 8 is larger than rank 4"},
		"module not there": {8, []string{"c_fc"}, trained, "transformer.h.0.attn.c_attn.lora_A.weight"},
		"no folder":        {8, []string{"c_attn"}, "testdata/none", "adapter_config.json"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			targets, err := model.Match(modules, sweep.Targets{List: tc.targets})
			must(t, err)
			_, err = trainer.StartingAdapter(targets, sweep.LoRASpec{Rank: tc.rank, Alpha: 16, InitAdapter: tc.dir}, 0)
			if !errors.Is(err, sweep.ErrInput) || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("StartingAdapter = %v, want ErrInput with %q", err, tc.want)
			}
		})
	}
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
	targets, err := model.Match(tinyInfo(t).Modules, sweep.Targets{List: []string{"c_attn"}})
	must(t, err)
	lora := sweep.LoRASpec{Rank: 8, Alpha: 16, InitAdapter: dir, InitAdapterSHA256: sum}
	_, err = trainer.StartingAdapter(targets, lora, 0)
	must(t, err)
	must(t, os.WriteFile(filepath.Join(dir, "adapter_config.json"), []byte("{}"), 0o600))
	if _, err := trainer.StartingAdapter(targets, lora, 0); err == nil || !strings.Contains(err.Error(), "have changed") {
		t.Errorf("StartingAdapter = %v, want an error about changed files", err)
	}
}

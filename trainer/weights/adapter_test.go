package weights_test

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ranksweep/ranksweep/sweep/lora"
	"github.com/ranksweep/ranksweep/trainer/weights"
)

// TestAdapterAsPEFTWrites writes what was read from PEFT's own folders and from settings, and compares bytes.
// The folders are golden files of PEFT 0.21.2, see testdata/README.md.
func TestAdapterAsPEFTWrites(t *testing.T) {
	t.Parallel()
	list := func(names ...string) lora.Targets { return lora.Targets{List: names} }
	specs := map[string]lora.Spec{
		"gpt2-attn-mlp-r4": {Rank: 4, Alpha: 8, Dropout: 0.05, TargetModules: list("c_attn", "c_proj", "c_fc")},
		"gpt2-all-linear-r4": {Rank: 4, Alpha: 8, TargetModules: list(
			"transformer.h.0.mlp.c_proj", "transformer.h.1.attn.c_proj", "transformer.h.1.mlp.c_proj", "transformer.h.1.mlp.c_fc",
			"transformer.h.0.mlp.c_fc", "transformer.h.1.attn.c_attn", "transformer.h.0.attn.c_proj", "transformer.h.0.attn.c_attn",
		)},
		"gpt2-bias-lora-only":    {Rank: 4, Alpha: 8, TargetModules: list("c_attn"), Bias: lora.BiasLoRAOnly},
		"llama-dora-r4":          {Rank: 4, Alpha: 8, TargetModules: list("up_proj", "v_proj", "q_proj"), UseDoRA: true},
		"llama-embed-and-linear": {Rank: 4, Alpha: 8, TargetModules: list("embed_tokens", "q_proj")},
		"llama3-lm-head-saved":   {Rank: 4, Alpha: 8, TargetModules: list("v_proj", "q_proj"), ModulesToSave: []string{"lm_head"}},
		"../../model/testdata/lora/llama_rank_alpha_pattern/final_zero_B": {
			Rank: 4, Alpha: 8, TargetModules: list("v_proj", "k_proj", "o_proj", "down_proj", "q_proj"),
			RankPattern: lora.Patterns{
				{Key: "layers.0.self_attn.q_proj", Value: 2},
				{Key: `layers\.1\.mlp\.down_proj`, Value: 3},
				{Key: "v_proj", Value: 6},
			},
			AlphaPattern: lora.Patterns{
				{Key: `layers\.\d+\.self_attn\.v_proj`, Value: 12},
				{Key: "model.layers.1.self_attn.k_proj", Value: 4},
				{Key: "o_proj", Value: 32},
			},
		},
		"../../model/testdata/lora/llama_layers_to_transform/final_zero_B": {
			Rank: 4, Alpha: 8, TargetModules: list("v_proj", "q_proj"), LayersToTransform: []int{1},
		},
	}
	for name, spec := range specs {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			golden := filepath.Join("testdata", name)
			a, err := weights.ReadAdapter(golden)
			if err != nil {
				t.Fatal(err)
			}
			dir, base := filepath.Join(t.TempDir(), "adapter"), a.Config.BaseModelNameOrPath
			a.Config = weights.NewAdapterConfig(base, spec, []lora.Module{{Conv1D: base == "tiny-gpt2"}})
			for range 2 { // the second write replaces the first
				if err := weights.WriteAdapter(dir, a); err != nil {
					t.Fatal(err)
				}
			}
			for _, file := range []string{"adapter_config.json", "adapter_model.safetensors"} {
				compareFiles(t, filepath.Join(dir, file), filepath.Join(golden, file))
			}
			if left, err := filepath.Glob(dir + ".*"); err != nil || len(left) > 0 {
				t.Errorf("left behind: %v %v", left, err)
			}
		})
	}
}

func compareFiles(t *testing.T, got, want string) {
	t.Helper()
	a, err := os.ReadFile(got)
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(want)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(a, b) {
		t.Errorf("%s differs from %s", got, want)
		if strings.HasSuffix(got, ".json") {
			t.Error(cmp.Diff(string(b), string(a)))
		}
	}
}

func TestReadOldAdapterConfig(t *testing.T) {
	t.Parallel()
	a, err := weights.ReadAdapter("testdata/gpt2-old-config")
	if err != nil {
		t.Fatal(err)
	}
	want := lora.Spec{Rank: 8, Alpha: 32, TargetModules: lora.Targets{List: []string{"c_attn"}}, Init: "kaiming"}
	if diff := cmp.Diff(want, a.Spec()); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"transformer.h.0.attn.c_attn", "transformer.h.1.attn.c_attn"}, a.Modules()); diff != "" {
		t.Error(diff)
	}
	if a.Config.Scaling() != 4 {
		t.Errorf("Scaling = %v, want 4", a.Config.Scaling())
	}
}

func TestReadAdapterRefuses(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		dir  string
		kind error
		want string
	}{
		"no folder": {"testdata/none", fs.ErrNotExist, "adapter_config.json"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := weights.ReadAdapter(tc.dir)
			if !errors.Is(err, tc.kind) || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("ReadAdapter = %v, want %v with %q", err, tc.kind, tc.want)
			}
		})
	}
}

func TestWriteAdapterChecks(t *testing.T) {
	t.Parallel()
	a, err := weights.ReadAdapter("testdata/gpt2-old-config")
	if err != nil {
		t.Fatal(err)
	}
	delete(a.Tensors, weights.KeyB("transformer.h.1.attn.c_attn"))
	dir := filepath.Join(t.TempDir(), "adapter")
	if err := weights.WriteAdapter(dir, a); err == nil || !strings.Contains(err.Error(), "h.1.attn.c_attn has only one") {
		t.Errorf("WriteAdapter = %v, want the module named", err)
	}
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a folder was written: %v", err)
	}
}

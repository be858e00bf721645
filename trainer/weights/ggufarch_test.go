package weights_test

import (
	"encoding/json"
	"errors"
	"hash/crc32"
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ranksweep/ranksweep/sweep/trial"
	"github.com/ranksweep/ranksweep/trainer/weights"
)

// TestGGUFArchitectures: each architecture's GGUF file has transformers' tensors, to the bit, and transformers' settings;
// testdata/gguf_archs.py makes the files as llama.cpp's converter does.
func TestGGUFArchitectures(t *testing.T) {
	t.Parallel()
	var golden map[string]struct {
		Shapes map[string][]int
		Config map[string]any
	}
	readJSON(t, "testdata/gguf_archs.json", &golden)
	if len(golden) != 9 {
		t.Fatalf("%d models", len(golden))
	}
	files := os.DirFS("testdata/gguf_archs")
	for name, want := range golden {
		got, err := weights.Read(files, name+".gguf")
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for tensor, shape := range want.Shapes {
			if !slices.Equal(got[tensor].Shape, shape) || !slices.Equal(got[tensor].Data, patterned(tensor, len(got[tensor].Data))) {
				t.Errorf("%s: %s has shape %v and values %v", name, tensor, got[tensor].Shape, got[tensor].Data)
			}
		}
		if len(got) != len(want.Shapes) {
			t.Errorf("%s: %d tensors, want %d", name, len(got), len(want.Shapes))
		}
		checkConfig(t, name, ggufConfigOf(t, name), want.Config)
	}
}

// patterned is what gguf_archs.py put into a tensor.
func patterned(name string, n int) []float32 {
	out := make([]float32, n)
	for i := range out {
		out[i] = float32(crc32.ChecksumIEEE([]byte(name))%64) + float32(i)/1024
	}
	return out
}

func ggufConfigOf(t *testing.T, name string) map[string]any {
	t.Helper()
	g, err := weights.ReadGGUF(os.DirFS("testdata/gguf_archs"), name+".gguf")
	if err != nil {
		t.Fatal(err)
	}
	text, err := g.Config()
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	var config map[string]any
	if err := json.Unmarshal(text, &config); err != nil {
		t.Fatal(err)
	}
	return config
}

// checkConfig compares what transformers says. Its key may be missing where the value is null.
func checkConfig(t *testing.T, name string, got, want map[string]any) {
	t.Helper()
	close := cmp.Comparer(func(a, b float64) bool { return math.Abs(a-b) <= 1e-7*math.Abs(b) })
	for key, v := range want {
		if diff := cmp.Diff(v, got[key], close); diff != "" {
			t.Errorf("%s: %s (-want +got): %s", name, key, diff)
		}
	}
}

// TestGGUFRefusesAGoodFile: what cannot be trained is named, and nobody is told that the file is bad or of a config.json.
func TestGGUFRefusesAGoodFile(t *testing.T) {
	t.Parallel()
	of := func(arch string, more ...any) ggufFile {
		pairs := []any{"general.architecture", 8, ggufText(arch)}
		for _, key := range []string{"block_count", "context_length", "embedding_length", "feed_forward_length", "attention.head_count"} {
			pairs = append(pairs, arch+"."+key, 4, uint32(4))
		}
		return ggufFile{pairs: append(pairs, more...)}
	}
	odd := ggufTensor{name: "rope_freqs.weight", dims: []uint64{2}, data: floats(1, 5)}
	long := ggufTensor{name: "rope_factors_long.weight", dims: []uint64{2}, data: floats(1, 5)}
	tests := map[string]struct {
		file ggufFile
		want string
	}{
		"architecture":       {of("mamba"), `architecture "mamba", which cannot be trained; those that can are gemma2, gemma3, gptneox,`},
		"no architecture":    {ggufFile{}, `architecture ""`},
		"experts":            {of("llama", "llama.expert_count", 4, uint32(8)), `a mixture of experts (architecture "llama", 8 experts)`},
		"experts of another": {of("qwen3moe", "qwen3moe.expert_count", 4, uint32(8)), `(architecture "qwen3moe", 8 experts)`},
		"part of a head":     {of("llama", "llama.rope.dimension_count", 4, uint32(2)), "rope.dimension_count is 2"},
		"another v":          {of("llama", "llama.attention.value_length", 4, uint32(2)), "attention.value_length is 2"},
		"yarn":               {of("llama", "llama.rope.scaling.type", 8, ggufText("yarn")), `rope.scaling.type is yarn`},
		"other positions":    {of("llama").plus(odd), "in another way than Llama 3.1 and 3.2"},
		"one list":           {of("phi3").plus(long), "do not scale positions as Phi-3 does"},
		"window":             {of("llama", "llama.attention.sliding_window", 4, uint32(8)), "llama.attention.sliding_window is 8"},
		"Olmo 3":             {of("olmo2", "olmo2.attention.sliding_window", 4, uint32(8)), "olmo2.attention.sliding_window is 8"},
		"softcap":            {of("qwen2", "qwen2.final_logit_softcapping", 6, float32(30)), "qwen2.final_logit_softcapping is 30"},
		"not causal":         {of("llama", "llama.attention.causal", 7, uint8(0)), "llama.attention.causal is false"},
		"no window":          {of("gemma3"), "without attention.sliding_window"},
		"no positions":       {of("granite", "granite.rope.scaling.finetuned", 7, uint8(0)), "without rotary positions"},
		"parallel or not":    {of("gptneox"), "has no gptneox.use_parallel_residual"},
		"strange pattern": {
			of("gemma2", "gemma2.attention.sliding_window_pattern", 9, ggufTexts("x")),
			"gemma2.attention.sliding_window_pattern is [x]",
		},
		"strange scale": {of("granite", "granite.logit_scale", 8, ggufText("x")), "granite.logit_scale is x"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g, err := weights.ReadGGUF(tc.file.files(), "m.gguf")
			if err != nil {
				t.Fatal(err)
			}
			_, err = g.Config()
			if !errors.Is(err, trial.ErrInput) || !strings.Contains(err.Error(), tc.want) || strings.Contains(err.Error(), "bad file") {
				t.Errorf("Config = %v, want ErrInput with %q", err, tc.want)
			}
		})
	}
}

func (g ggufFile) plus(tensors ...ggufTensor) ggufFile {
	g.tensors = append(g.tensors, tensors...)
	return g
}

// TestGGUFGemma27B: of the largest Gemma, attention is scaled by an even share of the width (llama.cpp, src/models/gemma2.cpp).
func TestGGUFGemma27B(t *testing.T) {
	t.Parallel()
	for arch, layers := range map[string]uint32{"gemma2": 46, "gemma3": 62} {
		file := ggufFile{pairs: []any{
			"general.architecture", 8, ggufText(arch), arch + ".block_count", 4, layers, arch + ".context_length", 4, uint32(64),
			arch + ".embedding_length", 4, uint32(48), arch + ".feed_forward_length", 4, uint32(16), arch + ".attention.head_count", 4, uint32(4),
			arch + ".attention.key_length", 4, uint32(8), arch + ".attention.sliding_window", 4, uint32(16),
		}}
		g, err := weights.ReadGGUF(file.files(), "m.gguf")
		if err != nil {
			t.Fatal(err)
		}
		text, err := g.Config()
		if err != nil {
			t.Fatal(err)
		}
		var c struct {
			Scalar int      `json:"query_pre_attn_scalar"`
			Types  []string `json:"layer_types"`
		}
		if err := json.Unmarshal(text, &c); err != nil || c.Scalar != 12 || len(c.Types) != int(layers) {
			t.Errorf("%s: query_pre_attn_scalar %d of %d layers, %v, want 12", arch, c.Scalar, len(c.Types), err)
		}
	}
}

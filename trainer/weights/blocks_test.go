package weights_test

import (
	"io"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/ranksweep/ranksweep/sweep/trial"
	"github.com/ranksweep/ranksweep/trainer/weights"
)

// quantisedFile is a GGUF file with an embedding in this number format, a q in Q8_0 whose rows llama.cpp has put in another order, and a
// norm.
func quantisedFile(embeddingFormat uint32, embedding []byte) fstest.MapFS {
	random, q := rand.New(rand.NewPCG(1, 2)), make([]byte, 0, 8*34)
	for range 8 {
		q = append(q, 0, 0x20) // a scale
		for range 32 {
			q = append(q, byte(random.Uint32()))
		}
	}
	return ggufFile{
		pairs: []any{"general.architecture", 8, ggufText("llama"), "llama.attention.head_count", 4, uint32(2)},
		tensors: []ggufTensor{
			{name: "token_embd.weight", dims: []uint64{256, 1}, number: embeddingFormat, data: embedding},
			{name: "blk.0.attn_q.weight", dims: []uint64{32, 8}, number: 8, data: q},
			{name: "output_norm.weight", dims: []uint64{2}, data: floats(1, 2)},
		},
	}.files()
}

func quantisedWant(format string) weights.Want {
	return weights.Want{
		Shapes: map[string][]int{
			"model.embed_tokens.weight": {1, 256}, "model.layers.0.self_attn.q_proj.weight": {8, 32}, "model.norm.weight": {2},
		},
		Formats: map[string]string{"model.embed_tokens.weight": format, "model.layers.0.self_attn.q_proj.weight": format},
	}
}

// TestReadBlocks: a tensor that stays in its blocks holds the values that it is read as otherwise, in the same order; plain numbers
// become float32.
func TestReadBlocks(t *testing.T) {
	t.Parallel()
	files := quantisedFile(1, make([]byte, 512)) // F16
	none := func(string, int64) io.Writer { return nil }
	want, err := weights.ReadModelTo(files, quantisedWant(""), none)
	if err != nil {
		t.Fatal(err)
	}
	got, err := weights.ReadModelTo(files, quantisedWant(weights.AsStored), none)
	if err != nil {
		t.Fatal(err)
	}
	if b := got["model.layers.0.self_attn.q_proj.weight"].Blocks; b == nil || b.Format != "Q8_0" || len(b.Bytes) != 8*34 {
		t.Errorf("q has not stayed in its blocks: %v", b)
	}
	if got["model.embed_tokens.weight"].Blocks != nil || got["model.norm.weight"].Blocks != nil {
		t.Error("plain numbers are in blocks")
	}
	for name := range want {
		if !slices.Equal(got[name].Float32().Data, want[name].Data) {
			t.Errorf("%s: other values", name)
		}
	}
}

func TestBlocksRefuseFormats(t *testing.T) {
	t.Parallel()
	files := quantisedFile(10, make([]byte, 84)) // Q2_K
	if err := weights.CheckModel(files, quantisedWant("")); err != nil {
		t.Error(err)
	}
	err := weights.CheckModel(files, quantisedWant(weights.AsStored))
	if err == nil || !strings.Contains(err.Error(), "model.embed_tokens.weight has number format Q2_K") {
		t.Errorf("CheckModel = %v, want Q2_K refused", err)
	}
	if _, err := weights.Quantise(weights.Array{}, "Q4_0"); err == nil {
		t.Error("Quantise makes Q4_0")
	}
}

// TestNF4 compares with bitsandbytes.
func TestNF4(t *testing.T) {
	t.Parallel()
	var golden struct{ Levels, Weights, Values []float32 }
	readJSON(t, "testdata/nf4.json", &golden)
	if levels := weights.NF4Levels(); !slices.Equal(levels[:], golden.Levels) {
		t.Errorf("levels %v, want %v", levels, golden.Levels)
	}
	got := quantised(t, golden.Weights, weights.NF4)
	if !slices.Equal(got, golden.Values) {
		t.Errorf("values %v, want %v", got, golden.Values)
	}
}

// TestQuantise: no value is off by more than half a step of its block, and a block of zeros stays one. The last block is not full.
func TestQuantise(t *testing.T) {
	t.Parallel()
	values := make([]float32, 64+64+7)
	random := rand.New(rand.NewPCG(1, 2))
	for i := range values {
		if i < 64 || i >= 128 {
			values[i] = float32(random.NormFloat64())
		}
	}
	widest := map[string]float64{weights.INT8: 0.5 / 127, weights.NF4: (1 - 0.6961928) / 2} // of the largest magnitude
	for format, most := range widest {
		got := quantised(t, values, format)
		for first := 0; first < len(values); first += 64 {
			block := values[first:min(first+64, len(values))]
			largest := 0.0
			for _, v := range block {
				largest = max(largest, math.Abs(float64(v)))
			}
			for i, v := range block {
				if d := math.Abs(float64(v - got[first+i])); d > 1.0001*most*largest {
					t.Errorf("%s: value %d is %g, want %g", format, first+i, got[first+i], v)
				}
			}
		}
	}
}

func TestKeptFormats(t *testing.T) {
	t.Parallel()
	for _, format := range trial.KeptFormats() {
		if planes, values := weights.Planes(format); len(planes) < 2 || values < 32 {
			t.Errorf("%s cannot stay in its blocks", format)
		}
	}
}

func quantised(t *testing.T, values []float32, format string) []float32 {
	t.Helper()
	a, err := weights.Quantise(weights.Array{Shape: []int{len(values)}, Data: values}, format)
	if err != nil {
		t.Fatal(err)
	}
	return a.Float32().Data
}

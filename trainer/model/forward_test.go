package model

import (
	"fmt"
	"path/filepath"
	"slices"
	"testing"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/google/go-cmp/cmp"

	"github.com/ranksweep/ranksweep/trainer/weights"
)

// TestLayoutsGolden: files with and without the key prefix, sharded files, and both spellings of config.json, are one model.
func TestLayoutsGolden(t *testing.T) {
	t.Parallel()
	for _, dir := range tinyModels() {
		if diff := cmp.Diff(readConfig(t, dir+"/config.json"), readConfig(t, dir+"/config_v4style.json")); diff != "" {
			t.Errorf("%s: config_v4style.json (-config.json):\n%s", dir, diff)
		}
	}
	for one, other := range map[string]string{tiny: tiny + "/noprefix", "testdata/tiny-llama": "testdata/tiny-llama/sharded"} {
		want := readBase(t, one, readConfig(t, one+"/config.json"))
		got := readBase(t, other, readConfig(t, other+"/config.json"))
		if !cmp.Equal(want, got) {
			t.Errorf("%s holds another model than %s", other, one)
		}
	}
}

// TestForwardGolden also shows that LoRA with B=0 is the base model: the golden values were made without an adapter.
func TestForwardGolden(t *testing.T) {
	t.Parallel()
	in := tinyInputs(t)
	for _, dir := range tinyModels() {
		want := readTensors(t, filepath.Join(dir, "forward.safetensors"))
		for platform, open := range backends() {
			t.Run(filepath.Base(dir)+"/"+platform, func(t *testing.T) {
				t.Parallel()
				p := newBare(t, open(t), dir)
				checkLogits(t, p, in, want)
				checkStates(t, p, in.batch(t), want)
				checkLosses(t, p, dir, in, want)
			})
		}
	}
}

func checkLogits(t *testing.T, p *Program, in inputs, want map[string]weights.Array) {
	t.Helper()
	logits, err := p.Logits(in.batch(t))
	must(t, err)
	if d := maxDiff(logits.Data, want["logits"].Data); d > logitsTolerance {
		t.Errorf("logits differ by %g", d)
	}
	padded := in.Padded.batch(t)
	logits, err = p.Logits(padded)
	must(t, err)
	for row, n := range []int{16, 11} { // real tokens of the two rows
		from := row * padded.T * p.config.VocabSize
		to := from + n*p.config.VocabSize
		if d := maxDiff(logits.Data[from:to], want["right_padded.logits"].Data[from:to]); d > logitsTolerance {
			t.Errorf("padded logits of row %d differ by %g", row, d)
		}
	}
	logits, err = p.Logits(in.Long.batch(t))
	must(t, err)
	if d := maxDiff(logits.Data[127*p.config.VocabSize:], want["long.last_logits"].Data); d > logitsTolerance {
		t.Errorf("last logits of 128 differ by %g", d)
	}
}

func checkStates(t *testing.T, p *Program, b Batch, want map[string]weights.Array) {
	t.Helper()
	in := append(p.baseShapes(), i32(b.B, b.T), i32(b.B, b.T))
	exec, err := p.build("states", in, func(in []*Node) []*Node {
		n := len(in) - 2
		return newTrunk(p.config, newLayout(p.config.Tensors()).named(in[:n]), nil).states(in[n], in[n+1])
	})
	must(t, err)
	where, err := b.positions()
	must(t, err)
	positions, err := p.upload(where, dtypes.Int32, b.B, b.T)
	must(t, err)
	ids, err := p.upload(b.IDs, dtypes.Int32, b.B, b.T)
	must(t, err)
	states, err := exec.run(append(slices.Clone(p.base), ids, positions), nil)
	must(t, err)
	for i, s := range states {
		flat, err := read(s, b.B*b.T*p.config.Embed)
		must(t, err)
		if d := maxDiff(flat, want[fmt.Sprintf("hidden_states.%d", i)].Data); d > hiddenTolerance {
			t.Errorf("hidden_states.%d differ by %g", i, d)
		}
	}
	finalizeAll(append(states, ids, positions)...)
	exec.finalize()
}

func checkLosses(t *testing.T, p *Program, dir string, in inputs, want map[string]weights.Array) {
	t.Helper()
	var golden struct {
		Loss   float64
		Plain  float64                `json:"loss_nothing_masked"`
		Padded struct{ Loss float64 } `json:"right_padded"`
		Long   struct{ Loss float64 }
	}
	readJSON(t, filepath.Join(dir, "forward.json"), &golden)
	unmasked := in.batch(t)
	unmasked.Labels = unmasked.IDs
	for _, c := range []struct {
		what string
		b    Batch
		want float64
	}{
		{"loss", in.batch(t), golden.Loss},
		{"loss with nothing masked", unmasked, golden.Plain},
		{"padded loss", in.Padded.batch(t), golden.Padded.Loss},
		{"loss of 128", in.Long.batch(t), golden.Long.Loss},
	} {
		sum, n, err := p.Evaluate(c.b)
		must(t, err)
		check(t, c.what, sum/float64(n), c.want, lossTolerance)
	}
	rows, err := p.scoreRows(unmasked)
	must(t, err)
	if d := maxDiff(rows.nll[:rows.tokens], want["nll"].Data); d > lossTolerance {
		t.Errorf("nll differs by %g", d)
	}
}

// TestHalfPrecisionFiles: weights stored in bfloat16 and float16 are computed with in float32.
func TestHalfPrecisionFiles(t *testing.T) {
	t.Parallel()
	in := tinyInputs(t)
	var golden struct {
		Layouts struct {
			BF16 struct{ Loss float64 } `json:"bf16_weights_f32_compute"`
			FP16 struct{ Loss float64 } `json:"fp16_weights_f32_compute"`
		}
	}
	readJSON(t, "testdata/tiny-llama/forward.json", &golden)
	for name, loss := range map[string]float64{"bf16": golden.Layouts.BF16.Loss, "fp16": golden.Layouts.FP16.Loss} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newBare(t, xlaCPU(t), "testdata/tiny-llama/"+name)
			sum, n, err := p.Evaluate(in.batch(t))
			must(t, err)
			check(t, "loss", sum/float64(n), loss, lossTolerance)
			if name != "bf16" {
				return
			}
			logits, err := p.Logits(in.batch(t))
			must(t, err)
			want := readTensors(t, "testdata/tiny-llama/bf16/forward_f32_compute.safetensors")["logits"]
			if d := maxDiff(logits.Data, want.Data); d > logitsTolerance {
				t.Errorf("logits differ by %g", d)
			}
		})
	}
}

// TestGreedyGolden continues a prompt by the likeliest token, 24 times. The closest runner-up is 0.03 behind, so rounding
// decides nothing.
func TestGreedyGolden(t *testing.T) {
	t.Parallel()
	for _, dir := range tinyModels() {
		t.Run(filepath.Base(dir), func(t *testing.T) {
			t.Parallel()
			var golden struct {
				Greedy struct {
					Prompt []int32
					IDs    []int32 `json:"ids"`
				}
			}
			readJSON(t, filepath.Join(dir, "forward.json"), &golden)
			p := newBare(t, xlaCPU(t), dir)
			want := golden.Greedy.IDs
			got := slices.Clone(golden.Greedy.Prompt)
			for len(got) < len(want) {
				b := Batch{B: 1, T: len(want), IDs: append(slices.Clone(got), make([]int32, len(want)-len(got))...)}
				logits, err := p.Logits(b)
				must(t, err)
				last := logits.Data[(len(got)-1)*p.config.VocabSize : len(got)*p.config.VocabSize]
				got = append(got, int32(slices.Index(last, slices.Max(last))))
			}
			if !slices.Equal(got, want) {
				t.Errorf("greedy = %v, want %v", got, want)
			}
		})
	}
}

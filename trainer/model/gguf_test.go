package model

import (
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ranksweep/ranksweep/trainer/weights"
)

// readGGUF reads configuration and weights of a GGUF file.
func readGGUF(t testing.TB, path string) (Config, map[string]weights.Array) {
	t.Helper()
	dir, name := filepath.Split(path)
	g, err := weights.ReadGGUF(os.DirFS(dir), name)
	must(t, err)
	text, err := g.Config()
	must(t, err)
	c, err := ParseConfig(text)
	must(t, err)
	base, err := weights.Read(os.DirFS(dir), name)
	must(t, err)
	return c, base
}

// TestGGUFGolden: tiny-llama in bfloat16, as gguf-py writes it, is the model that its safetensors file is.
func TestGGUFGolden(t *testing.T) {
	t.Parallel()
	const dir = "testdata/tiny-llama"
	c, base := readGGUF(t, dir+"/gguf/model.gguf")
	want := readConfig(t, dir+"/bf16/config.json")
	if diff := cmp.Diff(want, c); diff != "" {
		t.Error(diff)
	}
	if !cmp.Equal(base, readBase(t, dir+"/bf16", want)) {
		t.Error("other weights than the safetensors file's")
	}
	p := newBareOn(t, xlaCPU(t), c, base)
	logits, err := p.Logits(tinyInputs(t).batch(t))
	must(t, err)
	if d := maxDiff(logits.Data, readTensors(t, dir+"/bf16/forward_f32_compute.safetensors")["logits"].Data); d > logitsTolerance {
		t.Errorf("logits differ by %g", d)
	}
}

// smolModel names the real model, which make smollm2 fetches.
func smolModel(t testing.TB) string {
	t.Helper()
	path := "../../models/SmolLM2-135M-Instruct.Q4_1.gguf"
	if _, err := os.Stat(path); err != nil {
		t.Skipf("SKIPPED: no real model (make smollm2 fetches it): %v", err)
	}
	return path
}

// Tolerances for SmolLM2, whose logits reach 29: float32 PyTorch is 5e-5 off its own float64 there, and 8e-6 in the loss.
const (
	smolLogitsTolerance = 1e-3
	smolLossTolerance   = 1e-4
)

// TestSmolLM2Golden: a real model gives PyTorch's logits and losses. With q and k left in llama.cpp's order the loss would be
// 4.79 instead of 3.50.
func TestSmolLM2Golden(t *testing.T) {
	t.Parallel()
	c, base := readGGUF(t, smolModel(t))
	var golden struct {
		Logits struct {
			IDs    []int32     `json:"ids"`
			TopIDs [][]int     `json:"top20_ids"`
			Top    [][]float64 `json:"top20_logits"`
			LogSum []float64   `json:"logsumexp"`
		} `json:"logits16"`
		Loss struct {
			IDs  []int32   `json:"ids"`
			Loss float64   `json:"loss"`
			NLL  []float32 `json:"nll"`
		} `json:"loss64"`
		Greedy []struct {
			Name   string
			Prompt []int32 `json:"prompt_ids"`
			New    []int32 `json:"new_ids"`
		}
	}
	readJSON(t, "testdata/smollm2/forward.json", &golden)
	p := newBareOn(t, xlaCPU(t), c, base)
	V := c.VocabSize
	// One length for all, so that little is compiled: what comes after a token does not change its logits.
	padded := func(ids []int32) Batch {
		T := len(golden.Loss.IDs)
		return Batch{B: 1, T: T, IDs: append(slices.Clone(ids), make([]int32, T-len(ids))...)}
	}
	logits, err := p.Logits(padded(golden.Logits.IDs))
	must(t, err)
	for at, ids := range golden.Logits.TopIDs {
		row := logits.Data[at*V : (at+1)*V]
		for i, id := range ids {
			check(t, "logit", float64(row[id]), golden.Logits.Top[at][i], smolLogitsTolerance)
		}
		check(t, "logsumexp", logSumExp(row), golden.Logits.LogSum[at], smolLogitsTolerance)
	}
	b := padded(golden.Loss.IDs)
	b.Labels = b.IDs
	sum, n, err := p.Evaluate(b)
	must(t, err)
	check(t, "loss", sum/float64(n), golden.Loss.Loss, smolLossTolerance)
	rows, err := p.scoreRows(b)
	must(t, err)
	if d := maxDiff(rows.nll[:rows.tokens], golden.Loss.NLL); d > smolLogitsTolerance {
		t.Errorf("nll differs by %g", d)
	}
	// The answer to a chat, which ends with EOS: runners-up are 0.08 behind.
	chat := golden.Greedy[1]
	logits, err = p.Logits(padded(slices.Concat(chat.Prompt, chat.New)))
	must(t, err)
	for i, want := range chat.New {
		at := len(chat.Prompt) + i - 1
		row := logits.Data[at*V : (at+1)*V]
		for id, v := range row {
			if v > row[want] {
				t.Errorf("%s: token %d of the answer is %d, want %d", chat.Name, i, id, want)
				break
			}
		}
	}
}

func logSumExp(row []float32) float64 {
	top, sum := math.Inf(-1), 0.0
	for _, v := range row {
		top = max(top, float64(v))
	}
	for _, v := range row {
		sum += math.Exp(float64(v) - top)
	}
	return top + math.Log(sum)
}

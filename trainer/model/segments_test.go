package model

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ranksweep/ranksweep/sweep/lora"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

// documents are two rows of 16 tokens as three documents each, and the same documents as six rows of their own.
func documents(t *testing.T) (packed, apart Batch) {
	t.Helper()
	in := tinyInputs(t).batch(t)
	packed = Batch{B: in.B, T: in.T, IDs: in.IDs, Labels: slices.Clone(in.IDs)}
	lengths := [][]int{{5, 7, 4}, {2, 1, 13}}
	apart = Batch{B: 6, T: in.T}
	for row, ls := range lengths {
		at := row * in.T
		for n, l := range ls {
			for range l {
				packed.Segments = append(packed.Segments, int32(n))
			}
			padding := slices.Repeat([]int32{trial.IgnoredLabel}, in.T-l)
			apart.IDs = append(apart.IDs, append(slices.Clone(in.IDs[at:at+l]), make([]int32, in.T-l)...)...)
			apart.Labels = append(append(apart.Labels, in.IDs[at:at+l]...), padding...)
			at += l
		}
	}
	return packed, apart
}

// TestSegments: documents packed into a row are exactly the documents in rows of their own, in loss and gradient.
func TestSegments(t *testing.T) {
	t.Parallel()
	packed, apart := documents(t)
	for _, dir := range []string{tiny, "testdata/tiny-llama"} {
		for platform, open := range backends() {
			t.Run(filepath.Base(dir)+"/"+platform, func(t *testing.T) {
				t.Parallel()
				p := newBare(t, open(t), dir)
				got, err := p.scoreRows(packed)
				must(t, err)
				want, err := p.scoreRows(apart)
				must(t, err)
				if got.tokens != 32-6 || want.tokens != got.tokens {
					t.Fatalf("%d and %d predictions, want 26", got.tokens, want.tokens)
				}
				if d := maxDiff(got.nll[:got.tokens], want.nll[:want.tokens]); d > lossTolerance {
					t.Errorf("nll differs by %g", d)
				}
				grads, _, err := p.Gradients(packed)
				must(t, err)
				wantGrads, _, err := p.Gradients(apart)
				must(t, err)
				checkTensors(t, "gradient", grads, wantGrads, gradientTolerance)
				whole := packed
				whole.Segments = nil
				leaking, err := p.scoreRows(whole)
				must(t, err)
				if d := maxDiff(leaking.nll[got.tokens-10:got.tokens], got.nll[got.tokens-10:got.tokens]); d < 0.01 {
					t.Errorf("documents that see one another differ by only %g: the test shows nothing", d)
				}
			})
		}
	}
}

// TestWindow: with a window of w, a token's logits do not depend on tokens w or more before it, unless a layer is without the window.
func TestWindow(t *testing.T) {
	t.Parallel()
	const window = 5
	c := readConfig(t, "testdata/tiny-llama/config.json")
	base := readBase(t, "testdata/tiny-llama", c)
	c.Layers, c.Window = 1, window // one layer: with more, what is further back arrives through the tokens between
	for name, tc := range map[string]struct {
		windowed []bool
		reach    int
	}{"every layer": {nil, window}, "this layer": {[]bool{true}, window}, "no layer": {[]bool{false}, 16}} {
		c.Windowed = tc.windowed
		p := newBareOn(t, xlaCPU(t), c, base)
		in := tinyInputs(t).batch(t)
		one := Batch{B: 1, T: in.T, IDs: slices.Clone(in.IDs[:in.T])}
		before, err := p.Logits(one)
		must(t, err)
		one.IDs[3]++
		after, err := p.Logits(one)
		must(t, err)
		for at := range in.T {
			from, to := at*c.VocabSize, (at+1)*c.VocabSize
			same := maxDiff(before.Data[from:to], after.Data[from:to]) == 0
			if sees := at >= 3 && at < 3+tc.reach; sees == same {
				t.Errorf("%s: position %d sees position 3: %v, want %v", name, at, !same, sees)
			}
		}
	}
}

func TestSegmentsRefused(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		segments []int32
		want     string
	}{
		"too few":   {[]int32{0, 0, 0}, "holds 3 segments"},
		"backwards": {[]int32{0, 1, 0, 0, 0, 0}, "segment 0 at row 0, position 2"},
		"jump":      {[]int32{0, 0, 2, 0, 0, 0}, "segment 2 at row 0, position 2"},
		"not 0":     {[]int32{0, 0, 0, 1, 1, 1}, "segment 1 at row 1, position 0"},
	} {
		b := Batch{B: 2, T: 3, IDs: make([]int32, 6), Labels: make([]int32, 6), Segments: tc.segments}
		if _, err := b.plan(tinyConfig(t)); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: plan = %v, want an error with %q", name, err, tc.want)
		}
	}
}

// TestMatchArchitectures: what people write as target_modules finds the linear modules of every architecture, and all-linear
// neither embeddings nor the head.
func TestMatchArchitectures(t *testing.T) {
	t.Parallel()
	for _, dir := range tinyModels() {
		perLayer, one := 7, "q_proj"
		if dir == tiny {
			perLayer, one = 4, "c_attn"
		}
		c := readConfig(t, filepath.Join(dir, "config.json"))
		all, err := lora.MatchTargets(c.Modules(), lora.Targets{Pattern: lora.AllLinear})
		must(t, err)
		if len(all) != perLayer*c.Layers {
			t.Errorf("%s: all-linear matches %d modules, want %d", dir, len(all), perLayer*c.Layers)
		}
		some, err := lora.MatchTargets(c.Modules(), lora.Targets{List: []string{one}})
		must(t, err)
		if len(some) != c.Layers || some[0].Conv1D != (dir == tiny) {
			t.Errorf("%s: %s matches %+v, want one a layer", dir, one, some)
		}
	}
}

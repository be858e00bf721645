package trainer_test

import (
	"encoding/json"
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ranksweep/ranksweep/sweep/trial"
	"github.com/ranksweep/ranksweep/trainer"
	"github.com/ranksweep/ranksweep/trainer/backend"
	"github.com/ranksweep/ranksweep/trainer/weights"
)

func shrinkOptions(t *testing.T, base, adapter string) trainer.EvaluateOptions {
	t.Helper()
	info, err := trainer.Inspect(t.Context(), base, trainer.InspectOptions{})
	must(t, err)
	rows := filepath.Join(t.TempDir(), "rows.jsonl")
	var lines []byte
	for _, ids := range rowsForPEFT() {
		line, err := json.Marshal(map[string][]int32{"input_ids": ids})
		must(t, err)
		lines = append(append(lines, line...), '\n')
	}
	must(t, os.WriteFile(rows, lines, 0o600))
	return trainer.EvaluateOptions{
		Model: info, Adapter: adapter, Data: []string{rows}, BatchSize: 3,
		Backend: resolve(t, backend.PlatformGo),
	}
}

// TestShrunkAdaptersScoreAsTheirCurve shrinks adapters of every kind: what is written scores what the curve says, at the ranks that it
// says, and the curve ends with the adapter itself.
func TestShrunkAdaptersScoreAsTheirCurve(t *testing.T) {
	t.Parallel()
	for _, made := range madeAdapters() {
		t.Run(filepath.Base(made.base), func(t *testing.T) {
			t.Parallel()
			o := shrinkOptions(t, made.base, made.write(t))
			whole, err := trainer.Evaluate(t.Context(), o)
			must(t, err)
			shrunk, err := trainer.Shrink(t.Context(), o, 3)
			must(t, err)
			last := shrunk.Curve[len(shrunk.Curve)-1]
			if diff := cmp.Diff(whole, last.Evaluation); diff != "" {
				t.Errorf("the adapter itself (-evaluated +curve):\n%s", diff)
			}
			lost := 0.0
			for _, at := range shrunk.Curve {
				dir := filepath.Join(t.TempDir(), "shrunk")
				must(t, shrunk.Write(dir, at.Rank))
				low := o
				low.Adapter = dir
				got, err := trainer.Evaluate(t.Context(), low)
				must(t, err)
				if !(math.Abs(got.Loss-at.Loss) <= 1e-6) { // float32: the scaling lies in B or outside
					t.Errorf("rank %d scores %v, the curve says %v", at.Rank, got.Loss, at.Loss)
				}
				lost = max(lost, math.Abs(at.Loss-last.Loss))
				checkShrunk(t, dir, at)
			}
			if lost < 1e-4 {
				t.Errorf("no rank differs from the whole adapter: %+v", shrunk.Curve)
			}
		})
	}
}

// checkShrunk verifies the largest rank and the size of what was written.
func checkShrunk(t *testing.T, dir string, at trainer.ShrunkRank) {
	t.Helper()
	a, err := weights.ReadAdapter(dir)
	must(t, err)
	var ranks []int
	var size int64
	for _, m := range a.Modules() {
		ranks = append(ranks, a.Spec().RankOf(m))
	}
	for _, tensor := range a.Tensors {
		size += 4 * int64(len(tensor.Data))
	}
	if slices.Max(ranks) != at.Rank || size != at.Bytes {
		t.Errorf("the adapter written for rank %d has ranks %v and %d bytes, want %d", at.Rank, ranks, size, at.Bytes)
	}
}

// TestShrinkLadder: powers of two below the adapter's rank, which is its largest module's, the rank asked for, and its own.
func TestShrinkLadder(t *testing.T) {
	t.Parallel()
	adapter := filepath.Join(goldenDir, "gpt2_c_attn_r8/final_zero_B")
	for to, want := range map[int][]int{0: {1, 2, 4, 8}, 4: {1, 2, 4, 8}, 5: {1, 2, 4, 5, 8}, 8: {1, 2, 4, 8}} {
		shrunk, err := trainer.Shrink(t.Context(), shrinkOptions(t, tinyModel, adapter), to)
		must(t, err)
		var got []int
		for _, at := range shrunk.Curve {
			got = append(got, at.Rank)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("ranks to %d (-want +got):\n%s", to, diff)
		}
	}
	_, err := trainer.Shrink(t.Context(), shrinkOptions(t, tinyModel, adapter), 9)
	if !errors.Is(err, trial.ErrInput) || !strings.Contains(err.Error(), "rank 8") {
		t.Errorf("to rank 9: %v, want ErrInput naming rank 8", err)
	}
}

// TestPEFTLoadsShrunkAdapters lets PEFT load adapters truncated to rank 3, and compares logits.
func TestPEFTLoadsShrunkAdapters(t *testing.T) {
	t.Parallel()
	python := pythonWithPEFT(t)
	var bases, adapters []string
	for _, made := range madeAdapters() {
		o := shrinkOptions(t, made.base, made.write(t))
		shrunk, err := trainer.Shrink(t.Context(), o, 3)
		must(t, err)
		dir := filepath.Join(t.TempDir(), "shrunk")
		must(t, shrunk.Write(dir, 3))
		bases, adapters = append(bases, made.base), append(adapters, dir)
	}
	for i, theirs := range peftLogits(t, python, bases, adapters, rowsForPEFT()) {
		if d := maxDiff(logits(t, bases[i], adapters[i], rowsForPEFT()), theirs); !(d <= logitsTolerance) {
			config, _ := os.ReadFile(filepath.Join(adapters[i], weights.AdapterConfigFile))
			t.Errorf("%s: PEFT's logits differ from ours by %g\n%s", bases[i], d, config)
		}
	}
}

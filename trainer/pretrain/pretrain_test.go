package pretrain

import (
	"context"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ranksweep/ranksweep/sweep/trial"
	"github.com/ranksweep/ranksweep/trainer"
	"github.com/ranksweep/ranksweep/trainer/backend"
	"github.com/ranksweep/ranksweep/trainer/backend/backendtest"
	"github.com/ranksweep/ranksweep/trainer/corpus"
	"github.com/ranksweep/ranksweep/trainer/model"
	"github.com/ranksweep/ranksweep/trainer/weights"
)

const corpusFile = "../tokenizer/testdata/gpt2/long_text.txt"

// From text to a model folder that the rest of the program reads: pure Go, so that it runs everywhere.
func TestFromTextToModel(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	dir := filepath.Join(t.TempDir(), "model")
	if err := WriteTokenizer(ctx, dir, []string{corpusFile}, 400); err != nil {
		t.Fatal(err)
	}
	c := model.Config{
		Architecture: "gpt2", VocabSize: 400, Positions: 16, Embed: 16, Layers: 1, Heads: 2, KVHeads: 2, HeadDim: 8, Inner: 32,
		Activation: "gelu_new", Epsilon: 1e-5, TieHead: true, ScaleScores: true,
	}
	corpus := prepare(t, dir, c)
	first, curve := train(t, c, corpus)
	second, _ := train(t, c, corpus)
	if diff := cmp.Diff(first, second); diff != "" {
		t.Errorf("two runs of one recipe differ:\n%s", diff)
	}
	steps := []int{}
	for _, e := range curve {
		steps = append(steps, e.Step)
	}
	if diff := cmp.Diff([]int{0, 12, 24, 30}, steps); diff != "" {
		t.Errorf("evaluated at (-want +got):\n%s", diff)
	}
	if start, end := curve[0].ValLoss, curve[3].ValLoss; math.Abs(start-math.Log(400)) > 0.1 || end > start-0.5 {
		t.Errorf("val_loss went from %.3f to %.3f, want from about ln 400 = %.3f down by 0.5 or more", start, end, math.Log(400))
	}
	if want := predictions(corpus); curve[3].Tokens != want || want < 3500 {
		t.Errorf("trained on %d predictions, want %d, nearly 30 steps of 8 rows of 15", curve[3].Tokens, want)
	}
	if err := WriteModel(dir, c, first); err != nil {
		t.Fatal(err)
	}
	checkFolder(t, dir, c, first)
}

// predictions counts what train learns from: all but the first token of a row, and of a document.
func predictions(c *corpus.Corpus) int64 {
	var n int64
	batches := newBatches(c, 7, 8)
	for step := 1; step <= 30; step++ {
		b := batches.Step(step)[0]
		for i := range b.IDs {
			if i%b.T > 0 && b.Segments[i] == b.Segments[i-1] {
				n++
			}
		}
	}
	return n
}

// checkFolder reads a model folder back as any other model.
func checkFolder(t *testing.T, dir string, c model.Config, want map[string]weights.Array) {
	t.Helper()
	info, err := trainer.Inspect(context.Background(), dir, trainer.InspectOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if info.Params != c.Params() || info.VocabSize != 400 || info.MaxPositions != 16 {
		t.Errorf("Inspect = %+v, want the config that was written", info)
	}
	got, err := weights.ReadFile(filepath.Join(dir, "model.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	for name, array := range want {
		for i, v := range array.Data {
			// float16 has 11 significant bits: half a unit of the last is 2⁻¹¹ of the value; 2⁻²⁵ below its normal range.
			if d := math.Abs(float64(got[name].Data[i] - v)); d > math.Abs(float64(v))/2048+0x1p-25 {
				t.Fatalf("%s[%d] came back as %v, want %v", name, i, got[name].Data[i], v)
			}
		}
	}
}

func train(t *testing.T, c model.Config, corpus *corpus.Corpus) (map[string]weights.Array, []Evaluation) {
	t.Helper()
	backendtest.NeedPureGo(t)
	be, err := backend.Open(backend.PlatformGo, "", 0)
	if err != nil {
		t.Fatal(err)
	}
	defer be.Finalize()
	r := Recipe{Config: c, Seed: 7, Train: trial.TrainSpec{
		Steps: 30, BatchSize: 8, LearningRate: 1e-2, LRSchedulerType: "cosine", WarmupSteps: 3, MaxGradNorm: 1, EvalSteps: 12,
	}}
	var curve []Evaluation
	tensors, err := Train(context.Background(), be, r, corpus, func(e Evaluation) { curve = append(curve, e) })
	if err != nil {
		t.Fatal(err)
	}
	return tensors, curve
}

func prepare(t *testing.T, dir string, c model.Config) *corpus.Corpus {
	t.Helper()
	spec := trial.DataSpec{
		Train: []string{corpusFile}, ValidationSplit: 0.1, ValidationSequences: 20, SequenceLength: 16,
		Shuffle: true, Packing: true,
	}
	info := trial.ModelInfo{VocabSize: c.VocabSize, MaxPositions: c.Positions}
	prepared, err := corpus.Prepare(context.Background(), t.TempDir(), corpus.Source{Files: os.DirFS(dir), Model: info, Spec: spec}, nil)
	if err != nil {
		t.Fatal(err)
	}
	corpus, err := corpus.Open(prepared.Info.Path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := corpus.Close(); err != nil {
			t.Error(err)
		}
	})
	return corpus
}

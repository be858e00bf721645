package trainer_test

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ranksweep/ranksweep/sweep/lora"
	"github.com/ranksweep/ranksweep/sweep/trial"
	"github.com/ranksweep/ranksweep/trainer"
	"github.com/ranksweep/ranksweep/trainer/backend"
	"github.com/ranksweep/ranksweep/trainer/backend/backendtest"
	"github.com/ranksweep/ranksweep/trainer/corpus"
	"github.com/ranksweep/ranksweep/trainer/weights"
)

// Golden files shared with package model; their origin is given there.
const (
	tinyModel = "model/testdata/tiny-gpt2"
	goldenDir = "model/testdata/lora"
)

// onBackends runs a test on XLA's CPU plug-in and on pure Go.
func onBackends(t *testing.T, test func(t *testing.T, c backend.Choice)) {
	t.Helper()
	for _, platform := range []string{backend.PlatformCPU, backend.PlatformGo} {
		t.Run(platform, func(t *testing.T) {
			t.Parallel()
			test(t, resolve(t, platform))
		})
	}
}

// resolve returns the backend to test on.
func resolve(t *testing.T, platform string) backend.Choice {
	t.Helper()
	if platform == backend.PlatformGo {
		backendtest.NeedPureGo(t)
	}
	c, err := backend.Resolve(t.Context(), platform)
	if err != nil && platform != backend.PlatformGo {
		t.Skipf("SKIPPED: %v", err)
	}
	must(t, err)
	return c
}

// tinySpec is golden case gpt2_c_attn_r8's recipe.
func tinySpec() trial.Spec {
	return trial.Spec{
		Data: trial.DataSpec{SequenceLength: 16, Packing: true},
		LoRA: lora.Spec{Rank: 8, Alpha: 16, TargetModules: lora.Targets{List: []string{"c_attn"}}, Init: "kaiming"},
		Train: trial.TrainSpec{
			Steps: 20, BatchSize: 2, GradientAccumulationSteps: 1, LearningRate: 1e-3, LRSchedulerType: "cosine", WarmupSteps: 5,
			WeightDecay: 0.01, MaxGradNorm: 1, EvalSteps: 5, Dtype: "float32",
		},
	}
}

// assign prepares what a coordinator would: the model inspected, the golden batches as a corpus, a trial on a backend.
func assign(t *testing.T, c backend.Choice, spec trial.Spec) trial.Assignment {
	t.Helper()
	return assignRows(t, c, spec, goldenRows)
}

// goldenRows is how many training rows the golden batches have.
const goldenRows = 80

// assignRows is assign with only the first rows of the golden batches to train on.
func assignRows(t *testing.T, c backend.Choice, spec trial.Spec, rows int) trial.Assignment {
	t.Helper()
	dir := t.TempDir()
	spec.Data.Train = []string{writeRows(t, dir, "train", rows)}
	spec.Data.Validation = []string{writeRows(t, dir, "val", goldenRows)}
	if spec.Data.Retain != nil { // any rows that are not those of the validation
		spec.Data.Retain = []string{writeRows(t, t.TempDir(), "train", 6)}
	}
	return assignData(t, c, spec)
}

// assignData is assign on the data that the spec names.
func assignData(t *testing.T, c backend.Choice, spec trial.Spec) trial.Assignment {
	t.Helper()
	info, err := trainer.Inspect(t.Context(), tinyModel, trainer.InspectOptions{})
	must(t, err)
	files, err := trainer.Files(info)
	must(t, err)
	corpus, err := corpus.Prepare(t.Context(), filepath.Join(t.TempDir(), "cache"),
		corpus.Source{Files: files, Model: info, Spec: spec.Data}, nil)
	must(t, err)
	tr := trial.New(spec, info.Fingerprint, corpus.Info.Fingerprint, c.Identity)
	return trial.Assignment{
		Attempt: trial.AttemptID(string(tr.ID) + "/1"), Trial: tr, Model: info, Corpus: corpus.Info,
		Platform: c.Platform, PluginPath: c.PluginPath,
	}
}

type goldenBatch struct {
	InputIDs [][]int32 `json:"input_ids"`
	Labels   [][]int32 `json:"labels"`
}

// writeRows writes the first rows of the golden batches as pre-tokenised jsonl, one row a line.
func writeRows(t *testing.T, dir, part string, rows int) string {
	t.Helper()
	var batches struct {
		Train []goldenBatch `json:"train"`
		Val   goldenBatch   `json:"val"`
	}
	readJSON(t, filepath.Join(goldenDir, "batches.json"), &batches)
	list := batches.Train
	if part == "val" {
		list = []goldenBatch{batches.Val}
	}
	var b strings.Builder
	for _, batch := range list[:min(len(list), (rows+1)/2)] {
		for i := range batch.InputIDs {
			line, err := json.Marshal(map[string][]int32{"input_ids": batch.InputIDs[i], "labels": batch.Labels[i]})
			must(t, err)
			fmt.Fprintf(&b, "%s\n", line)
		}
	}
	path := filepath.Join(dir, part+".jsonl")
	must(t, os.WriteFile(path, []byte(b.String()), 0o600))
	return path
}

// recorder collects events, and fails from the n-th on when n is set: as if the process were killed there.
type recorder struct {
	events []trial.Event
	limit  int
}

var errKilled = fmt.Errorf("killed")

func (r *recorder) emit(e trial.Event) error {
	if r.limit > 0 && len(r.events) >= r.limit {
		return errKilled
	}
	if _, err := e.MarshalLine(); err != nil {
		return err
	}
	r.events = append(r.events, e)
	return nil
}

func (r *recorder) outcome(t *testing.T) trial.Outcome {
	t.Helper()
	if len(r.events) == 0 || r.events[len(r.events)-1].Outcome == nil {
		t.Fatalf("no outcome in %d events", len(r.events))
	}
	return *r.events[len(r.events)-1].Outcome
}

func (r *recorder) kinds() string {
	var b strings.Builder
	for _, e := range r.events {
		fmt.Fprintf(&b, "%s %d\n", e.Kind, e.Step)
	}
	return b.String()
}

// points returns the metrics by step.
func (r *recorder) points() map[int]trial.Point {
	out := map[int]trial.Point{}
	for _, e := range r.events {
		if e.Point != nil {
			out[e.Step] = *e.Point
		}
	}
	return out
}

func (r *recorder) evaluations() map[int]float64 {
	out := map[int]float64{}
	for _, e := range r.events {
		if e.Evaluation != nil {
			out[e.Step] = e.Evaluation.ValLoss
		}
	}
	return out
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func readJSON(t testing.TB, path string, into any) {
	t.Helper()
	b, err := os.ReadFile(path)
	must(t, err)
	if err := json.Unmarshal(b, into); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}

func maxDiff(a, b []float32) float64 {
	if len(a) != len(b) {
		return math.Inf(1)
	}
	worst := 0.0
	for i := range a {
		worst = max(worst, math.Abs(float64(a[i])-float64(b[i])))
	}
	return worst
}

func readAdapter(t testing.TB, dir string) map[string]weights.Array {
	t.Helper()
	a, err := weights.ReadAdapter(dir)
	must(t, err)
	return a.Tensors
}

package trainer_test

import (
	"encoding/json"
	"errors"
	"maps"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ranksweep/ranksweep/sweep/lora"
	"github.com/ranksweep/ranksweep/sweep/trial"
	"github.com/ranksweep/ranksweep/trainer"
	"github.com/ranksweep/ranksweep/trainer/backend"
	"github.com/ranksweep/ranksweep/trainer/weights"
)

func tinyInfo(t *testing.T) trial.ModelInfo {
	t.Helper()
	info, err := trainer.Inspect(t.Context(), tinyModel, trainer.InspectOptions{})
	must(t, err)
	return info
}

// TestEvaluateGolden scores the golden validation rows with the base model and with the adapters that PEFT trained. A
// batch size that does not divide the rows must not matter.
func TestEvaluateGolden(t *testing.T) {
	t.Parallel()
	onBackends(t, func(t *testing.T, c backend.Choice) {
		t.Helper()
		val := writeRows(t, t.TempDir(), "val", goldenRows)
		for name := range goldenCases() {
			dir := filepath.Join(goldenDir, name)
			var trace struct {
				Zero goldenTrace `json:"zero_B"`
			}
			readJSON(t, filepath.Join(dir, "trace.json"), &trace)
			all := trace.Zero.Val
			for adapter, want := range map[string]float64{"": all[0].Loss, filepath.Join(dir, "final_zero_B"): all[len(all)-1].Loss} {
				got, err := trainer.Evaluate(t.Context(), trainer.EvaluateOptions{
					Model: tinyInfo(t), Adapter: adapter, Data: []string{val}, BatchSize: 3, Backend: c,
				})
				must(t, err)
				if !(math.Abs(got.Loss-want) <= lossTolerance) || got.Sequences != 4 || got.Perplexity != math.Exp(got.Loss) {
					t.Errorf("Evaluate with adapter %q = %+v, want loss %.7g over 4 sequences", adapter, got, want)
				}
			}
		}
	})
}

func TestEvaluateScoresEveryRow(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "rows.jsonl")
	rows := `{"input_ids":[1,2,3]}
{"input_ids":[4]}
{"input_ids":[5,6],"labels":[5,-100]}
{"input_ids":[7,8,9,10,11],"labels":[-100,-100,9,10,-100]}
`
	must(t, os.WriteFile(path, []byte(rows), 0o600))
	o := trainer.EvaluateOptions{Model: tinyInfo(t), Data: []string{path}, BatchSize: 8, Backend: resolve(t, backend.PlatformGo)}
	got, err := trainer.Evaluate(t.Context(), o)
	must(t, err)
	if got.Sequences != 4 || got.Tokens != 4 {
		t.Errorf("Evaluate = %+v, want 4 sequences with 4 tokens", got)
	}
	o.SequenceLength = 4
	if _, err := trainer.Evaluate(t.Context(), o); !errors.Is(err, trial.ErrInput) || !strings.Contains(err.Error(), "row 4 has 5 ids") {
		t.Errorf("Evaluate = %v, want the long row named", err)
	}
}

func TestEvaluateScoresPromptsOnDemand(t *testing.T) {
	t.Parallel()
	m, err := trainer.Inspect(t.Context(), "builtin:gopher", trainer.InspectOptions{})
	must(t, err)
	path := filepath.Join(t.TempDir(), "pairs.jsonl")
	must(t, os.WriteFile(path, []byte(`{"prompt":"func main","completion":"() {"}`), 0o600))
	o := trainer.EvaluateOptions{Model: m, Data: []string{path}, BatchSize: 1, Backend: resolve(t, backend.PlatformGo)}
	completion, err := trainer.Evaluate(t.Context(), o)
	must(t, err)
	o.ScorePrompts = true
	whole, err := trainer.Evaluate(t.Context(), o)
	must(t, err)
	if completion.Tokens < 1 || whole.Tokens <= completion.Tokens {
		t.Errorf("%d tokens of the completion, %d with the prompt, want more", completion.Tokens, whole.Tokens)
	}
	if completion.ExactMatch == nil || whole.ExactMatch != nil {
		t.Errorf("exact match = %v of the completion, %v with the prompt, which leaves none", completion.ExactMatch, whole.ExactMatch)
	}
}

func TestEvaluateRefusesForeignAdapter(t *testing.T) {
	t.Parallel()
	a, err := weights.ReadAdapter(filepath.Join(goldenDir, "gpt2_c_attn_r8/final_zero_B"))
	must(t, err)
	wide := weights.Array{Shape: []int{8, 128}, Data: make([]float32, 8*128)}
	const first, third = "transformer.h.0.attn.c_attn", "transformer.h.2.attn.c_attn"
	tests := map[string]struct {
		change func(tensors map[string]weights.Array)
		want   string
	}{
		"another width": {func(m map[string]weights.Array) { m[weights.KeyA(first)] = wide }, weights.KeyA(first)},
		"a third layer": {func(m map[string]weights.Array) {
			m[weights.KeyA(third)], m[weights.KeyB(third)] = m[weights.KeyA(first)], m[weights.KeyB(first)]
		}, weights.KeyA(third)},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			changed := weights.Adapter{Config: a.Config, Tensors: map[string]weights.Array{}}
			maps.Copy(changed.Tensors, a.Tensors)
			tc.change(changed.Tensors)
			dir := filepath.Join(t.TempDir(), "adapter")
			must(t, weights.WriteAdapter(dir, changed))
			_, err := trainer.Evaluate(t.Context(), trainer.EvaluateOptions{
				Model: tinyInfo(t), Adapter: dir, Data: []string{writeRows(t, t.TempDir(), "val", goldenRows)}, BatchSize: 4,
				Backend: resolve(t, backend.PlatformGo),
			})
			if !errors.Is(err, trial.ErrInput) || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("Evaluate = %v, want ErrInput naming %s", err, tc.want)
			}
		})
	}
}

// TestEvaluationJSON pins what `sweep eval -o json` promises.
func TestEvaluationJSON(t *testing.T) {
	t.Parallel()
	b, err := json.Marshal(trainer.Evaluation{
		Loss: 1, Perplexity: 2, Measures: trial.Measures{TokenAccuracy: new(0.5)},
		Tokens: 3, Sequences: 4,
	})
	must(t, err)
	if want := `{"loss":1,"perplexity":2,"token_accuracy":0.5,"tokens":3,"sequences":4}`; string(b) != want {
		t.Errorf("Evaluation = %s, want %s", b, want)
	}
	b, err = json.Marshal(trainer.Evaluation{Measures: trial.Measures{TokenAccuracy: new(0.0), ExactMatch: new(0.25)}})
	must(t, err)
	if want := `{"loss":0,"perplexity":0,"token_accuracy":0,"exact_match":0.25,"tokens":0,"sequences":0}`; string(b) != want {
		t.Errorf("Evaluation = %s, want %s", b, want)
	}
}

// TestTrialsMeasureExactMatch trains on two answers of four tokens until the model writes the first of them, and checks that
// evaluations say so. The second is not trained on.
func TestTrialsMeasureExactMatch(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	learned, other := `{"input_ids": [5, 6, 7, 8, 9, 10], "labels": [-100, -100, 7, 8, 9, 10]}`,
		`{"input_ids": [11, 12, 40, 3, 41, 2], "labels": [-100, -100, 40, 3, 41, 2]}`
	train, validation := filepath.Join(dir, "train.jsonl"), filepath.Join(dir, "validation.jsonl")
	must(t, os.WriteFile(train, []byte(learned), 0o600))
	must(t, os.WriteFile(validation, []byte(learned+"\n"+other), 0o600))
	spec := tinySpec()
	spec.Data.Train, spec.Data.Validation = []string{train}, []string{validation}
	spec.LoRA.TargetModules = lora.Targets{Pattern: lora.AllLinear}
	spec.Train.Steps, spec.Train.EvalSteps, spec.Train.LearningRate, spec.Train.WarmupSteps = 40, 40, 3e-2, 0
	onBackends(t, func(t *testing.T, c backend.Choice) {
		t.Helper()
		rec := &recorder{}
		must(t, trainer.Run(t.Context(), assignData(t, c, spec), t.TempDir(), rec.emit))
		got := map[int]float64{}
		for _, e := range rec.events {
			if e.Evaluation != nil {
				got[e.Step] = *e.Evaluation.ExactMatch
			}
		}
		if diff := cmp.Diff(map[int]float64{0: 0, 40: 0.5}, got); diff != "" {
			t.Errorf("exact match by step (-want +got):\n%s", diff)
		}
	})
}

// TestEvaluationBatches: the first evaluation has the same bits and tokens whatever the size of the training batch is and whatever
// sequence_length adds to the rows; a probe scores its share.
func TestEvaluationBatches(t *testing.T) {
	t.Parallel()
	onBackends(t, func(t *testing.T, c backend.Choice) {
		t.Helper()
		evaluated := func(size, length, probe int) trial.Evaluation {
			spec := tinySpec()
			spec.Train.Steps, spec.Train.EvalSteps, spec.Train.WarmupSteps, spec.Train.BatchSize = 1, 1, 0, size
			spec.Data.SequenceLength = length
			a, rec := assign(t, c, spec), &recorder{}
			a.Probe = probe
			must(t, trainer.Run(t.Context(), a, t.TempDir(), rec.emit))
			for _, e := range rec.events {
				if e.Evaluation != nil {
					e.Evaluation.Seconds = 0
					return *e.Evaluation
				}
			}
			t.Fatalf("no evaluation: %+v", rec.outcome(t))
			return trial.Evaluation{}
		}
		want := evaluated(2, 16, 0)
		for _, shape := range [][2]int{{1, 16}, {5, 16}, {3, 24}} {
			if diff := cmp.Diff(want, evaluated(shape[0], shape[1], 0)); diff != "" {
				t.Errorf("batch_size %d, sequence_length %d (-want +got):\n%s", shape[0], shape[1], diff)
			}
		}
		part := evaluated(2, 16, 1)
		if got := float64(part.Tokens) / float64(want.Tokens); part.Share == 0 || part.Share > 1 || math.Abs(got-part.Share) > 0.2 {
			t.Errorf("a probe of one batch scores %v of the tokens and says %v", got, part.Share)
		}
	})
}

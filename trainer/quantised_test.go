package trainer_test

import (
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/ranksweep/ranksweep/sweep/lora"
	"github.com/ranksweep/ranksweep/sweep/trial"
	"github.com/ranksweep/ranksweep/trainer"
	"github.com/ranksweep/ranksweep/trainer/backend"
	"github.com/ranksweep/ranksweep/trainer/model"
	"github.com/ranksweep/ranksweep/trainer/weights"
)

// quantisedGGUF is tiny-llama with its matrices in Q4_0, Q4_1, Q5_0, Q5_1 and Q8_0 in turn.
const quantisedGGUF = "model/testdata/tiny-llama/gguf-quantised/model.gguf"

// rounding is what a quantised base may change in a loss, in nats: what users are promised.
const rounding = 1e-4

// TestQuantisedBase: a trial on a quantised base is one on its values, in blocks of a GGUF file and in those that weights are quantised
// to on the way in. Its adapter scores the trial's val_loss again, and so does the model that it is merged into.
func TestQuantisedBase(t *testing.T) {
	t.Parallel()
	onBackends(t, func(t *testing.T, c backend.Choice) {
		t.Helper()
		for name, tc := range map[string]struct{ path, dtype, compute string }{
			"gguf":           {quantisedGGUF, trial.DtypeGGUF, ""},
			"nf4":            {tinyModel, trial.DtypeNF4, ""},
			"int8, bfloat16": {tinyModel, trial.DtypeINT8, trial.DtypeBFloat16},
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				spec := tinySpec()
				spec.LoRA.TargetModules = lora.Targets{Pattern: lora.AllLinear}
				spec.Train.Steps, spec.Train.EvalSteps, spec.Train.LearningRate, spec.Train.WarmupSteps = 4, 2, 1e-2, 0
				spec.Train.Dtype, spec.Train.ComputeDtype = tc.dtype, tc.compute
				a := assign(t, c, spec)
				quantised := on(t, a, tc.path, spec)
				spec.Train.Dtype, spec.Train.ComputeDtype = spec.Train.Computes(), ""
				plain := on(t, a, values(t, tc.path, tc.dtype), spec)

				all := []string{"Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0"}
				if got := quantised.Model.Quantised; slices.Equal(got, all) != (tc.dtype == trial.DtypeGGUF) {
					t.Errorf("Quantised = %v", got)
				}
				dir, rec, want := t.TempDir(), &recorder{}, &recorder{}
				must(t, trainer.Run(t.Context(), quantised, dir, rec.emit))
				must(t, trainer.Run(t.Context(), plain, t.TempDir(), want.emit))
				for step, loss := range want.evaluations() {
					if got := rec.evaluations()[step]; !(math.Abs(got-loss) <= rounding) {
						t.Errorf("step %d: val_loss %.9g, on the values %.9g", step, got, loss)
					}
				}
				if analysed(rec) >= analysed(want) {
					t.Errorf("%d bytes are analysed, %d on the values", analysed(rec), analysed(want))
				}
				valLoss := *rec.outcome(t).ValLoss
				o := trainer.ExportOptions{Model: quantised.Model, Adapter: filepath.Join(dir, trainer.AdapterFolder), Dtype: tc.dtype}
				merged := t.TempDir()
				must(t, trainer.ExportMerged(t.Context(), merged, o, "float32"))
				for path, adapter := range map[string]string{tc.path: o.Adapter, merged: ""} {
					info, err := trainer.Inspect(t.Context(), path, trainer.InspectOptions{})
					must(t, err)
					got, err := trainer.EvaluateOnTrial(t.Context(), quantised.Trial, a.Corpus.Path,
						trainer.EvaluateOptions{Model: info, Adapter: adapter, Backend: c})
					must(t, err)
					most := reproduced
					if adapter == "" && tc.compute == trial.DtypeBFloat16 {
						most = 1e-2 // the sum of weight and update is rounded, not each
					}
					if !(math.Abs(got.Loss-valLoss) <= most) {
						t.Errorf("%s scores %.9g, the trial recorded %.9g", path, got.Loss, valLoss)
					}
				}
			})
		}
	})
}

// on is an assignment for another model with the same data.
func on(t *testing.T, a trial.Assignment, path string, spec trial.Spec) trial.Assignment {
	t.Helper()
	info, err := trainer.Inspect(t.Context(), path, trainer.InspectOptions{})
	must(t, err)
	a.Model, a.Trial = info, trial.New(spec, info.Fingerprint, a.Trial.Data, a.Trial.Backend)
	return a
}

// values writes the model that a dtype makes of another, in float32.
func values(t *testing.T, path, dtype string) string {
	t.Helper()
	dir, files := t.TempDir(), os.DirFS(path)
	text, err := os.ReadFile(filepath.Join(path, weights.ConfigFile))
	if dtype == trial.DtypeGGUF {
		files = os.DirFS(filepath.Dir(path))
		var g weights.GGUF
		g, err = weights.ReadGGUF(files, filepath.Base(path))
		must(t, err)
		text, err = g.Config()
	}
	must(t, err)
	config, err := model.ParseConfig(text)
	must(t, err)
	base, err := weights.ReadModelTo(files, config.WeightsFor(dtype), func(string, int64) io.Writer { return nil })
	must(t, err)
	inBlocks := 0
	for name, a := range base {
		if a.Blocks != nil {
			inBlocks++
		}
		base[name] = a.Float32()
	}
	if inBlocks == 0 {
		t.Fatal("nothing is quantised")
	}
	must(t, os.WriteFile(filepath.Join(dir, weights.ConfigFile), text, 0o600))
	must(t, weights.WriteFile(filepath.Join(dir, weights.ModelFile), base, weights.F32, nil))
	return dir
}

func analysed(r *recorder) int64 {
	for _, e := range r.events {
		if e.Prediction != nil {
			return e.Prediction.AnalysisBytes
		}
	}
	return 0
}

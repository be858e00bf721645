package trainer_test

import (
	"math"
	"path/filepath"
	"testing"

	"github.com/ranksweep/ranksweep/sweep/lora"
	"github.com/ranksweep/ranksweep/trainer"
	"github.com/ranksweep/ranksweep/trainer/backend"
)

// reproduced is how far an evaluation of a trial's adapter may be from its val_loss, in nats: what users are promised.
const reproduced = 1e-5

// TestEvaluateOnTrial: each compute type and each way to start scores the trial's val_loss again, on the trial's rows.
func TestEvaluateOnTrial(t *testing.T) {
	t.Parallel()
	onBackends(t, func(t *testing.T, c backend.Choice) {
		t.Helper()
		for name, tc := range map[string]struct{ init, dtype string }{
			"plain":           {lora.InitKaiming, "float32"},
			"plain, bfloat16": {lora.InitKaiming, "bfloat16"},
			"PiSSA":           {lora.InitPiSSA, "float32"},
			"PiSSA, bfloat16": {lora.InitPiSSA, "bfloat16"},
			"full":            {"", "float32"},
			"full, bfloat16":  {"", "bfloat16"},
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				spec := tinySpec()
				spec.LoRA.Init, spec.Train.Dtype = tc.init, tc.dtype
				if tc.init == "" {
					spec.LoRA = spec.LoRA.Whole()
				}
				spec.Train.Steps, spec.Train.EvalSteps, spec.Train.LearningRate, spec.Train.WarmupSteps = 4, 2, 1e-2, 0
				a, dir, rec := assign(t, c, spec), t.TempDir(), &recorder{}
				must(t, trainer.Run(t.Context(), a, dir, rec.emit))
				got, err := trainer.EvaluateOnTrial(t.Context(), a.Trial, a.Corpus.Path, trainer.EvaluateOptions{
					Model: a.Model, Adapter: filepath.Join(dir, trainer.AdapterFolder), Backend: c,
				})
				must(t, err)
				want := *rec.outcome(t).ValLoss
				if !(math.Abs(got.Loss-want) <= reproduced) || want == rec.evaluations()[0] {
					t.Errorf("the adapter scores %.9g, its trial recorded %.9g (%.9g before training): off by %g", got.Loss, want,
						rec.evaluations()[0], got.Loss-want)
				}
			})
		}
	})
}

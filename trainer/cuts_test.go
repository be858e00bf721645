package trainer_test

import (
	"math"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ranksweep/ranksweep/sweep/lora"
	"github.com/ranksweep/ranksweep/sweep/trial"
	"github.com/ranksweep/ranksweep/trainer"
	"github.com/ranksweep/ranksweep/trainer/backend"
)

// shrinkSpec is screenSpec, shrunk to lower ranks whose scalings differ.
func shrinkSpec(steps int) trial.Spec {
	spec := screenSpec()
	spec.LoRA.Dropout = 0
	lower := []lora.Spec{spec.LoRA, spec.LoRA, spec.LoRA}
	lower[0].Rank, lower[1].Rank, lower[2].Rank = 4, 2, 1
	lower[1].Alpha = 6
	spec = spec.ShrinkTo(lower).OnRows(1)
	spec.Shrink.Steps = steps
	return spec
}

// TestShrink: the largest rank trains as if nothing followed, no lower rank ends worse than truncation leaves it, whatever its scaling
// is, and some learn what is left.
func TestShrink(t *testing.T) {
	t.Parallel()
	c := resolve(t, backend.PlatformGo)
	plain := shrinkSpec(2)
	plain.Shrink = nil
	screened, rec := assign(t, c, plain), &recorder{}
	screened.Screen = []int{4, 2, 1}
	must(t, trainer.Run(t.Context(), screened, t.TempDir(), rec.emit))
	truncated, want := screenedAt(rec), rec.outcome(t)

	rec = &recorder{}
	must(t, trainer.Run(t.Context(), assign(t, c, shrinkSpec(2)), t.TempDir(), rec.emit))
	o, losses := rec.outcome(t), screenedAt(rec)
	if o.State != trial.OutcomeDone || o.Step != 12 || len(rec.points()) != 12 || len(losses) != 3 {
		t.Fatalf("outcome %+v after %d points, losses %v", o, len(rec.points()), losses)
	}
	if math.Abs(*o.ValLoss-*want.ValLoss) > 1e-6 || o.BestStep != want.BestStep || math.Abs(*o.LastValLoss-*want.LastValLoss) > 1e-6 {
		t.Errorf("the largest rank ends at %+v, alone at %+v", o, want)
	}
	better := 0
	for rank, loss := range losses {
		if loss > truncated[rank]+1e-6 {
			t.Errorf("rank %d: %v, truncated alone %v", rank, loss, truncated[rank])
		}
		if loss < truncated[rank]-1e-4 {
			better++
		}
	}
	if better == 0 {
		t.Errorf("no rank learnt anything: %v, truncated alone %v", losses, truncated)
	}
}

// TestShrinkAfterKills ends the attempt after each of its events from the last evaluation of the training on: the next one continues,
// and in the end everything is as without a kill.
func TestShrinkAfterKills(t *testing.T) {
	t.Parallel()
	c := resolve(t, backend.PlatformGo)
	a, dir, whole := assign(t, c, shrinkSpec(2)), t.TempDir(), &recorder{}
	must(t, trainer.Run(t.Context(), a, dir, whole.emit))
	want, wantScreened := whole.outcome(t), screenedAt(whole)
	trained := slices.IndexFunc(whole.events, func(e trial.Event) bool { return e.Kind == trial.EventEval && e.Step == 6 })
	for limit := trained; limit < len(whole.events); limit++ {
		dirs, first := []string{t.TempDir(), t.TempDir()}, &recorder{limit: limit}
		if err := trainer.Run(t.Context(), a, dirs[0], first.emit); err == nil {
			t.Fatal("the recorder did not kill the attempt")
		}
		next, second := a, &recorder{}
		next.Checkpoints = dirs[:1]
		must(t, trainer.Run(t.Context(), next, dirs[1], second.emit))
		got := second.outcome(t)
		got.TrainSeconds, got.TotalSeconds, want.TrainSeconds, want.TotalSeconds = 0, 0, 0, 0
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("killed after %d events (-whole +resumed):\n%s", limit, diff)
		}
		if diff := cmp.Diff(wantScreened, screenedAt(first, second)); diff != "" {
			t.Errorf("killed after %d events, ranks (-whole +resumed):\n%s", limit, diff)
		}
		adapter := readAdapter(t, filepath.Join(dirs[1], trainer.AdapterFolder))
		if diff := cmp.Diff(readAdapter(t, filepath.Join(dir, trainer.AdapterFolder)), adapter); diff != "" {
			t.Errorf("killed after %d events: another adapter", limit)
		}
	}
}

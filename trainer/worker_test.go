package trainer_test

import (
	"maps"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ranksweep/ranksweep/sweep/lora"
	"github.com/ranksweep/ranksweep/sweep/trial"
	"github.com/ranksweep/ranksweep/trainer"
	"github.com/ranksweep/ranksweep/trainer/backend"
)

// TestWorkerTakesTheNext: a trial has the bits that it has alone, whatever numbers its process trained with before.
func TestWorkerTakesTheNext(t *testing.T) {
	t.Parallel()
	const onNF4 = " on NF4"
	kinds := resumeKinds()
	kinds["LoRA"] = resumeSpec().LoRA
	for name, l := range maps.Clone(kinds) {
		kinds[name+onNF4] = l
	}
	onBackends(t, func(t *testing.T, c backend.Choice) {
		t.Helper()
		for name, l := range kinds {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				spec := resumeSpec()
				spec.LoRA = l
				if strings.HasSuffix(name, onNF4) {
					spec.Train.Dtype = trial.DtypeNF4
				}
				first := assignRows(t, c, spec, resumeRows)
				next, spec := first, first.Trial.Spec
				spec.LoRA.Rank, spec.LoRA.Alpha, spec.Seed = 3, 5, 9
				spec.LoRA.Dropout *= 2
				spec.Train.LearningRate, spec.Train.WeightDecay, spec.Train.MaxGradNorm = 1e-2, 0.2, 0
				next.Trial = trial.New(spec, first.Trial.Base, first.Trial.Data, first.Trial.Backend)
				want, _ := uninterrupted(t, next)
				var w trainer.Worker
				t.Cleanup(w.Close)
				var got result
				for _, a := range []trial.Assignment{first, next} {
					dir, rec := t.TempDir(), &recorder{}
					again, err := w.Run(t.Context(), a, dir, rec.emit)
					must(t, err)
					if !again {
						t.Fatalf("the worker takes no other trial after %+v", rec.outcome(t))
					}
					got = collect(t, dir, rec)
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("after another the trial is another (-alone +after):\n%s", diff)
				}
			})
		}
	})
}

// TestWorkerEndsAfterAnythingButDone: what a trial left behind that did not get through is nobody's start.
func TestWorkerEndsAfterAnythingButDone(t *testing.T) {
	t.Parallel()
	onBackends(t, func(t *testing.T, c backend.Choice) {
		t.Helper()
		for state, change := range map[trial.OutcomeState]func(*trial.Assignment){
			trial.OutcomeFailed:     func(a *trial.Assignment) { a.Trial.Spec.LoRA.TargetModules = lora.Targets{List: []string{"no such"}} },
			trial.OutcomeOverMemory: func(a *trial.Assignment) { a.MemoryLimit = 1 },
			trial.OutcomeOverTime:   func(a *trial.Assignment) { a.TrialTime = 1 },
			trial.OutcomeUnstable:   func(a *trial.Assignment) { a.Trial.Spec.Train.LearningRate = 1e30 },
		} {
			a := assignRows(t, c, resumeSpec(), resumeRows)
			change(&a)
			var w trainer.Worker
			rec := &recorder{}
			again, err := w.Run(t.Context(), a, t.TempDir(), rec.emit)
			must(t, err)
			if got := rec.outcome(t).State; got != state || again {
				t.Errorf("%s: ended %s, takes another: %v", state, got, again)
			}
			w.Close()
		}
	})
}

// TestWorkerRefusesAnotherKind: a worker's base and rows are not for every trial.
func TestWorkerRefusesAnotherKind(t *testing.T) {
	t.Parallel()
	c := resolve(t, backend.PlatformGo)
	spec := tinySpec()
	spec.Train.Steps = 1
	var w trainer.Worker
	t.Cleanup(w.Close)
	if _, err := w.Run(t.Context(), assign(t, c, spec), t.TempDir(), (&recorder{}).emit); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Run(t.Context(), assign(t, c, spec), t.TempDir(), (&recorder{}).emit); err == nil {
		t.Error("a trial on another corpus was trained")
	}
}

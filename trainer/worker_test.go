package trainer_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ranksweep/ranksweep/sweep/lora"
	"github.com/ranksweep/ranksweep/sweep/trial"
	"github.com/ranksweep/ranksweep/trainer"
	"github.com/ranksweep/ranksweep/trainer/backend"
)

// TestWorkerTakesTheNext: a trial has the bits that it has alone, whatever its process trained before: the same programs with other
// numbers, programs of another kind, or another part of the base.
func TestWorkerTakesTheNext(t *testing.T) {
	t.Parallel()
	onBackends(t, func(t *testing.T, c backend.Choice) {
		t.Helper()
		first := assignRows(t, c, resumeSpec(), resumeRows)
		var w trainer.Worker
		t.Cleanup(w.Close)
		run := func(a trial.Assignment) result {
			dir, rec := t.TempDir(), &recorder{}
			again, err := w.Run(t.Context(), a, dir, rec.emit)
			must(t, err)
			if !again {
				t.Fatalf("the worker takes no other trial after %+v", rec.outcome(t))
			}
			return collect(t, dir, rec)
		}
		run(first)
		for _, next := range []struct {
			what   string
			change func(*trial.Spec)
		}{
			{"numbers", func(s *trial.Spec) {
				s.LoRA.Rank, s.LoRA.Alpha, s.LoRA.Dropout, s.Seed = 3, 5, 0.4, 9
				s.Train.LearningRate, s.Train.WeightDecay, s.Train.MaxGradNorm = 1e-2, 0.2, 0
			}},
			{"no dropout", func(s *trial.Spec) { s.LoRA.Dropout = 0 }},
			{"PiSSA", func(s *trial.Spec) { s.LoRA = resumeKinds()["PiSSA"] }},
			{"a saved head", func(s *trial.Spec) { s.LoRA = resumeKinds()["DoRA, LoRA+ and a saved head"] }},
			{"as at first", func(*trial.Spec) {}},
		} {
			a, spec := first, resumeSpec()
			spec.Data = first.Trial.Spec.Data
			next.change(&spec)
			a.Trial = trial.New(spec, first.Trial.Base, first.Trial.Data, first.Trial.Backend)
			want, _ := uninterrupted(t, a)
			if diff := cmp.Diff(want, run(a)); diff != "" {
				t.Errorf("%s: after others the trial is another (-alone +after):\n%s", next.what, diff)
			}
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

package trainer_test

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
)

// screenedAt collects what attempts said about lower ranks, the newest winning.
func screenedAt(attempts ...*recorder) map[int]float64 {
	losses := map[int]float64{}
	for _, r := range attempts {
		for _, e := range r.events {
			if e.Screened != nil {
				losses[e.Screened.Rank] = e.Screened.ValLoss
			}
		}
	}
	return losses
}

// screenSpec trains fast enough for its ranks to differ.
func screenSpec() trial.Spec {
	spec := tinySpec()
	spec.LoRA.Rank, spec.LoRA.Alpha = 8, 16
	spec.Train.Steps, spec.Train.EvalSteps, spec.Train.LearningRate, spec.Train.WarmupSteps = 6, 3, 3e-2, 0
	return spec
}

// TestScreen trains rank 8 and screens it: at its own rank its loss is val_loss, and rank by rank the loss is that of a trial which
// starts from the trained adapter truncated to the rank.
func TestScreen(t *testing.T) {
	t.Parallel()
	c := resolve(t, backend.PlatformGo)
	a, dir, rec := assign(t, c, screenSpec()), t.TempDir(), &recorder{}
	a.Screen = []int{1, 2, 4, 8}
	must(t, trainer.Run(t.Context(), a, dir, rec.emit))
	o, losses := rec.outcome(t), screenedAt(rec)
	if o.State != trial.OutcomeDone || len(losses) != 4 || losses[8] != *o.ValLoss {
		t.Fatalf("outcome %+v, screened %v", o, losses)
	}
	if kind := rec.events[len(rec.events)-2].Kind; kind != trial.EventScreened {
		t.Errorf("%s comes before the last word", kind)
	}
	for _, rank := range []int{1, 2, 4} {
		if losses[rank] == losses[8] {
			t.Errorf("truncation to rank %d lost nothing: %v", rank, losses)
		}
		spec := screenSpec()
		spec.LoRA.Rank, spec.LoRA.InitAdapter = rank, filepath.Join(dir, trainer.AdapterFolder)
		first := &recorder{limit: 3}
		if err := trainer.Run(t.Context(), assign(t, c, spec), t.TempDir(), first.emit); err == nil {
			t.Fatal("the recorder did not stop the trial")
		}
		if want := first.evaluations()[0]; !(math.Abs(losses[rank]-want) <= 1e-6) { // float32: the scaling lies in B or outside
			t.Errorf("rank %d: screened at %v, its truncated adapter scores %v", rank, losses[rank], want)
		}
	}
}

// TestScreenAfterKills ends the attempt at each of its last events in turn: the next one continues with what is missing, and in the
// end everything is as without a kill.
func TestScreenAfterKills(t *testing.T) {
	t.Parallel()
	c := resolve(t, backend.PlatformGo)
	a, dir, whole := assign(t, c, screenSpec()), t.TempDir(), &recorder{}
	a.Screen = []int{1, 2, 4}
	must(t, trainer.Run(t.Context(), a, dir, whole.emit))
	want, wantScreened := collect(t, dir, whole), screenedAt(whole)
	for back := range 4 { // before the last word, and before each screened rank
		dirs, first := []string{t.TempDir(), t.TempDir()}, &recorder{limit: len(whole.events) - 1 - back}
		if err := trainer.Run(t.Context(), a, dirs[0], first.emit); err == nil {
			t.Fatal("the recorder did not kill the attempt")
		}
		next, second := a, &recorder{}
		next.Checkpoints, next.Screen = dirs[:1], a.Screen[len(screenedAt(first)):]
		must(t, trainer.Run(t.Context(), next, dirs[1], second.emit))
		if diff := cmp.Diff(want, collect(t, dirs[1], first, second)); diff != "" {
			t.Errorf("killed %d events before the last (-whole +resumed):\n%s", back, diff)
		}
		if diff := cmp.Diff(wantScreened, screenedAt(first, second)); diff != "" || len(second.points()) > 0 {
			t.Errorf("killed %d events before the last: %d steps again, screened (-whole +resumed):\n%s", back, len(second.points()), diff)
		}
	}
}

// TestScreenOfAFinishedTrial screens what an attempt without screening trained: without a further step, with the same result and
// adapters. Stopped before, it leaves nothing that a later attempt could stumble over; without the adapters it trains again.
func TestScreenOfAFinishedTrial(t *testing.T) {
	t.Parallel()
	c := resolve(t, backend.PlatformGo)
	a := assign(t, c, screenSpec())
	whole := a
	whole.Screen = []int{1, 4}
	dir, rec := t.TempDir(), &recorder{}
	must(t, trainer.Run(t.Context(), whole, dir, rec.emit))
	want, wantScreened := collect(t, dir, rec), screenedAt(rec)

	dirs, trained := []string{t.TempDir(), t.TempDir(), t.TempDir()}, &recorder{}
	must(t, trainer.Run(t.Context(), a, dirs[0], trained.emit))
	writeEvents(t, dirs[0], trained)
	whole.Checkpoints = dirs[:1]
	ctx, cancel := context.WithCancel(t.Context())
	stopped := &recorder{}
	must(t, trainer.Run(ctx, whole, dirs[1], func(e trial.Event) error {
		if e.Kind == trial.EventScreened {
			cancel()
		}
		return stopped.emit(e)
	}))
	if o := stopped.outcome(t); o.State != trial.OutcomeInterrupted || len(screenedAt(stopped)) != 1 {
		t.Fatalf("stopped: %+v, screened %v", o, screenedAt(stopped))
	}
	writeEvents(t, dirs[1], stopped)
	whole.Checkpoints, whole.Screen = []string{dirs[1], dirs[0]}, []int{4}
	last := &recorder{}
	must(t, trainer.Run(t.Context(), whole, dirs[2], last.emit))
	if diff := cmp.Diff(want, collect(t, dirs[2], trained, stopped, last)); diff != "" || len(last.points()) > 0 {
		t.Errorf("%d steps again; (-at once +later):\n%s", len(last.points()), diff)
	}
	if diff := cmp.Diff(wantScreened, screenedAt(stopped, last)); diff != "" {
		t.Errorf("screened (-at once +later):\n%s", diff)
	}

	must(t, os.RemoveAll(filepath.Join(dirs[0], trainer.AdapterFolder)))
	again, rec := t.TempDir(), &recorder{}
	whole.Checkpoints, whole.Screen = dirs[:1], []int{1, 4}
	must(t, trainer.Run(t.Context(), whole, again, rec.emit))
	if diff := cmp.Diff(want, collect(t, again, rec)); diff != "" {
		t.Errorf("trained again (-first +again):\n%s", diff)
	}
}

// writeEvents leaves an attempt's events in its folder, as its worker does.
func writeEvents(t *testing.T, dir string, r *recorder) {
	t.Helper()
	var text []byte
	for i, e := range r.events {
		e.Seq = int64(i + 1)
		line, err := e.MarshalLine()
		must(t, err)
		text = append(text, line...)
	}
	must(t, os.WriteFile(filepath.Join(dir, trial.EventsFile), text, 0o600))
}

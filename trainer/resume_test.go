package trainer_test

import (
	"context"
	"errors"
	"io/fs"
	"maps"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ranksweep/ranksweep/sweep/lora"
	"github.com/ranksweep/ranksweep/sweep/trial"
	"github.com/ranksweep/ranksweep/trainer"
	"github.com/ranksweep/ranksweep/trainer/backend"
)

// resumeSpec uses all that a step's numbers depend on: shuffled rows over more than an epoch, dropout, accumulation,
// warm-up, and evaluations that do not fall on every step.
func resumeSpec() trial.Spec {
	spec := tinySpec()
	spec.Seed = 7
	spec.Data.Shuffle = true
	spec.Data.Retain = []string{"some rows"} // see assignRows
	spec.LoRA.Dropout = 0.2
	spec.Train.Steps, spec.Train.EvalSteps, spec.Train.BatchSize, spec.Train.GradientAccumulationSteps = 5, 2, 2, 2
	spec.Train.LearningRate, spec.Train.WarmupSteps = 2e-2, 1
	return spec
}

// resumeKinds are adapters beside plain LoRA whose steps depend on more than A and B: PiSSA on what its start took away from the base,
// and the others on magnitudes, a second learning rate and a head of their own.
func resumeKinds() map[string]lora.Spec {
	attention := lora.Targets{List: []string{"c_attn"}}
	return map[string]lora.Spec{
		"PiSSA": {Rank: 4, Alpha: 8, TargetModules: attention, Init: lora.InitPiSSA},
		"DoRA, LoRA+ and a saved head": {
			Rank: 4, Alpha: 8, TargetModules: attention, Init: lora.InitKaiming, UseDoRA: true, LoRAPlusLRRatio: 4,
			ModulesToSave: []string{"lm_head"},
		},
	}
}

// resumeRows are fewer than the 20 that resumeSpec draws.
const resumeRows = 14

// result is what a trial leaves behind that must not depend on interruptions.
type result struct {
	Points      map[int]trial.Point
	Evaluations map[int]float64
	Outcome     trial.Outcome
	Adapters    map[string]string // content by file
}

// collect merges the attempts of a trial, the newest winning, as the store does.
func collect(t *testing.T, dir string, attempts ...*recorder) result {
	t.Helper()
	r := result{Points: map[int]trial.Point{}, Evaluations: map[int]float64{}, Adapters: map[string]string{}}
	for _, a := range attempts {
		maps.Copy(r.Points, a.points())
		maps.Copy(r.Evaluations, a.evaluations())
		if o := a.events[len(a.events)-1].Outcome; o != nil {
			r.Outcome = *o
		}
	}
	r.Outcome.TrainSeconds, r.Outcome.TotalSeconds = 0, 0
	for _, folder := range []string{trainer.AdapterFolder, trainer.LastFolder(r.Outcome)} {
		for _, file := range []string{"adapter_config.json", "adapter_model.safetensors"} {
			b, err := os.ReadFile(filepath.Join(dir, folder, file))
			must(t, err)
			r.Adapters[filepath.Join(folder, file)] = string(b)
		}
	}
	return r
}

// uninterrupted trains without interruption.
func uninterrupted(t *testing.T, a trial.Assignment) (result, *recorder) {
	t.Helper()
	dir, rec := t.TempDir(), &recorder{}
	must(t, trainer.Run(t.Context(), a, dir, rec.emit))
	if rec.outcome(t).State != trial.OutcomeDone {
		t.Fatalf("outcome %+v", rec.outcome(t))
	}
	return collect(t, dir, rec), rec
}

// TestResumeAfterKill kills an attempt at each event in turn, continues in a second one, and compares every number and
// byte with an uninterrupted trial. XLA compiles for a second each time, so there every sixth event has to do.
func TestResumeAfterKill(t *testing.T) {
	t.Parallel()
	onBackends(t, func(t *testing.T, c backend.Choice) {
		t.Helper()
		a := assignRows(t, c, resumeSpec(), resumeRows)
		want, whole := uninterrupted(t, a)
		stride := 1
		if c.Platform != backend.PlatformGo {
			stride = 6
		}
		for n := 1; n < len(whole.events); n += stride {
			first, second := t.TempDir(), t.TempDir()
			killed := &recorder{limit: n}
			if err := trainer.Run(t.Context(), a, first, killed.emit); !errors.Is(err, errKilled) {
				t.Fatalf("Run = %v, want the error of emit", err)
			}
			resumed := a
			resumed.Checkpoints = []string{first}
			rest := &recorder{}
			must(t, trainer.Run(t.Context(), resumed, second, rest.emit))
			if _, err := os.Stat(filepath.Join(first, "checkpoints")); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("the first attempt's checkpoints outlive the trial: %v", err)
			}
			if diff := cmp.Diff(want, collect(t, second, killed, rest)); diff != "" {
				t.Fatalf("killed after event %d (%s %d): %s", n, whole.events[n-1].Kind, whole.events[n-1].Step, diff)
			}
			if diff := cmp.Diff(want.Evaluations, rest.evaluations()); diff != "" {
				t.Fatalf("the first attempt left no log, and the second does not say what it measured: %s", diff)
			}
		}
	})
}

// TestResumeSaysNothingTwice: what the first attempt's log has of its evaluations stays as it is, and what was cut off is said again.
func TestResumeSaysNothingTwice(t *testing.T) {
	t.Parallel()
	a := assignRows(t, resolve(t, backend.PlatformGo), resumeSpec(), resumeRows)
	want, whole := uninterrupted(t, a)
	dir, killed, rest := t.TempDir(), &recorder{limit: len(whole.events) - 1}, &recorder{}
	if err := trainer.Run(t.Context(), a, dir, killed.emit); !errors.Is(err, errKilled) {
		t.Fatalf("Run = %v, want the error of emit", err)
	}
	var log []byte
	kept := map[int]float64{}
	for i, e := range killed.events {
		e.Seq = int64(i + 1)
		line, err := e.MarshalLine()
		must(t, err)
		log = append(log, line...)
		if e.Kind == trial.EventEval {
			kept[e.Step] = e.Evaluation.ValLoss
			if len(kept) == 2 {
				break
			}
		}
	}
	must(t, os.WriteFile(filepath.Join(dir, trial.EventsFile), log, 0o600))
	a.Checkpoints = []string{dir}
	must(t, trainer.Run(t.Context(), a, t.TempDir(), rest.emit))
	again := rest.evaluations()
	for step := range kept {
		if _, twice := again[step]; twice {
			t.Errorf("the evaluation of step %d is said again", step)
		}
	}
	maps.Copy(again, kept)
	if diff := cmp.Diff(want.Evaluations, again); diff != "" {
		t.Error(diff)
	}
}

// TestResumeEveryKind kills trials of other adapters before the first step, between two checkpoints and before the end.
func TestResumeEveryKind(t *testing.T) {
	t.Parallel()
	c := resolve(t, backend.PlatformGo)
	for name, lora := range resumeKinds() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			spec := resumeSpec()
			lora.Dropout = spec.LoRA.Dropout
			spec.LoRA = lora
			a := assignRows(t, c, spec, resumeRows)
			want, whole := uninterrupted(t, a)
			last := len(whole.events) - 1
			for _, n := range []int{3, last / 2, last} {
				dir, killed, rest := t.TempDir(), &recorder{limit: n}, &recorder{}
				if err := trainer.Run(t.Context(), a, dir, killed.emit); !errors.Is(err, errKilled) {
					t.Fatalf("Run = %v, want the error of emit", err)
				}
				must(t, trainer.Run(t.Context(), a, dir, rest.emit))
				if diff := cmp.Diff(want, collect(t, dir, killed, rest)); diff != "" {
					t.Errorf("killed after event %d (%s %d): %s", n, whole.events[n-1].Kind, whole.events[n-1].Step, diff)
				}
			}
		})
	}
}

// TestResumeAfterStop asks an attempt to stop at each event in turn; it must save its state and say so.
func TestResumeAfterStop(t *testing.T) {
	t.Parallel()
	a := assignRows(t, resolve(t, backend.PlatformGo), resumeSpec(), resumeRows)
	want, whole := uninterrupted(t, a)
	for n := range whole.events[:len(whole.events)-1] {
		ctx, stop := context.WithCancel(t.Context())
		dir, rec := t.TempDir(), &recorder{}
		must(t, trainer.Run(ctx, a, dir, func(e trial.Event) error {
			err := rec.emit(e)
			if len(rec.events) == n+1 {
				stop()
			}
			return err
		}))
		stop()
		o := rec.outcome(t)
		if o.State == trial.OutcomeDone { // asked after the last step
			continue
		}
		before := rec.events[len(rec.events)-2]
		if o.State != trial.OutcomeInterrupted || o.Error == "" {
			t.Fatalf("stopped at event %d: outcome %+v", n, o)
		}
		if whole.events[n].Kind != trial.EventStarted && whole.events[n].Kind != trial.EventPredicted && before.Kind != trial.EventCheckpoint {
			t.Errorf("stopped at event %d: the last word before the end is %s, want a checkpoint", n, before.Kind)
		}
		rest := &recorder{}
		must(t, trainer.Run(t.Context(), a, dir, rest.emit)) // the same folder again
		if diff := cmp.Diff(want, collect(t, dir, rec, rest)); diff != "" {
			t.Fatalf("stopped at event %d: %s", n, diff)
		}
	}
}

// TestResumeFromDamagedCheckpoints damages the newest checkpoint in different ways: the one before it takes over.
func TestResumeFromDamagedCheckpoints(t *testing.T) {
	t.Parallel()
	a := assignRows(t, resolve(t, backend.PlatformGo), resumeSpec(), resumeRows)
	want, whole := uninterrupted(t, a)
	damages := map[string]func(b []byte) []byte{
		"torn":    func(b []byte) []byte { return b[:len(b)/2] },
		"empty":   func([]byte) []byte { return nil },
		"flipped": func(b []byte) []byte { b[len(b)/2] ^= 1; return b },
		"all":     nil,
	}
	for name, damage := range damages {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			killed := &recorder{limit: len(whole.events) - 1} // all but the end
			if err := trainer.Run(t.Context(), a, dir, killed.emit); !errors.Is(err, errKilled) {
				t.Fatal(err)
			}
			files, err := filepath.Glob(filepath.Join(dir, "checkpoints", "*"))
			must(t, err)
			if len(files) != 2 {
				t.Fatalf("checkpoints %v, want two", files)
			}
			from, hit := 4, files[1:]
			if damage == nil {
				damage, from, hit = damages["torn"], 0, files
			}
			for _, path := range hit {
				b, err := os.ReadFile(path)
				must(t, err)
				must(t, os.WriteFile(path, damage(b), 0o600))
			}
			rest := &recorder{}
			must(t, trainer.Run(t.Context(), a, dir, rest.emit))
			for _, e := range rest.events {
				if e.Kind == trial.EventResumed && e.Step != from || e.Kind == trial.EventPoint && e.Step <= from {
					t.Errorf("%s at step %d, want to continue from %d", e.Kind, e.Step, from)
				}
			}
			if diff := cmp.Diff(want, collect(t, dir, killed, rest)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestMicroBatchesContinueTheTrial: an attempt with half a batch in a forward pass continues a checkpoint of whole batches, sees the same
// rows, and comes to the same losses but for rounding. Its outcome says that it did so.
func TestMicroBatchesContinueTheTrial(t *testing.T) {
	t.Parallel()
	onBackends(t, func(t *testing.T, c backend.Choice) {
		t.Helper()
		spec := resumeSpec()
		spec.Train.BatchSize, spec.LoRA.Dropout = 3, 0.2
		a := assignRows(t, c, spec, resumeRows)
		want, whole := uninterrupted(t, a)
		dir := t.TempDir()
		killed := &recorder{limit: len(whole.events) / 2}
		if err := trainer.Run(t.Context(), a, dir, killed.emit); !errors.Is(err, errKilled) {
			t.Fatal(err)
		}
		a.MicroBatch = spec.Train.HalfBatch()
		rest := &recorder{}
		must(t, trainer.Run(t.Context(), a, dir, rest.emit))
		if o := rest.outcome(t); o.MicroBatch != 2 || o.State != trial.OutcomeDone {
			t.Fatalf("outcome %+v, want one with micro-batches of 2", o)
		}
		got := collect(t, dir, killed, rest)
		resumed, worst := false, 0.0
		for _, e := range rest.events {
			resumed = resumed || e.Kind == trial.EventResumed && e.Step > 0
		}
		for step, p := range want.Points {
			if got.Points[step].Tokens != p.Tokens {
				t.Errorf("step %d saw %d tokens, want %d", step, got.Points[step].Tokens, p.Tokens)
			}
			worst = max(worst, math.Abs(got.Points[step].TrainLoss-p.TrainLoss))
		}
		for step, loss := range want.Evaluations {
			worst = max(worst, math.Abs(got.Evaluations[step]-loss))
		}
		t.Logf("losses differ by %.1e nats at most", worst)
		if !resumed || worst > 1e-5 {
			t.Errorf("resumed %t, losses differ by %v", resumed, worst)
		}
	})
}

// TestResumeIgnoresOtherTrials: a folder given by mistake must not leak another trial's state.
func TestResumeIgnoresOtherTrials(t *testing.T) {
	t.Parallel()
	c := resolve(t, backend.PlatformGo)
	a := assignRows(t, c, resumeSpec(), resumeRows)
	want, whole := uninterrupted(t, a)
	other := resumeSpec()
	other.Seed++
	foreign := t.TempDir()
	if err := trainer.Run(t.Context(), assignRows(t, c, other, resumeRows), foreign,
		(&recorder{limit: len(whole.events) - 1}).emit); !errors.Is(err, errKilled) {
		t.Fatal(err)
	}
	a.Checkpoints = []string{foreign}
	got, _ := uninterrupted(t, a)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

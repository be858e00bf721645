package trainer_test

import (
	"context"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ranksweep/ranksweep/sweep/trial"
	"github.com/ranksweep/ranksweep/trainer"
	"github.com/ranksweep/ranksweep/trainer/backend"
)

// TestRunEvents pins the order in which a healthy attempt speaks.
func TestRunEvents(t *testing.T) {
	t.Parallel()
	spec := tinySpec()
	spec.Train.Steps, spec.Train.EvalSteps = 3, 2
	a := assign(t, resolve(t, backend.PlatformGo), spec)
	_, rec := uninterrupted(t, a)
	want := `started 0
predicted 0
eval 0
memory 0
checkpoint 0
point 1
point 2
eval 2
memory 2
checkpoint 2
point 3
eval 3
memory 3
checkpoint 3
updates 0
ended 0
`
	if diff := cmp.Diff(want, rec.kinds()); diff != "" {
		t.Error(diff)
	}
	env := rec.events[0].Environment
	if env.PID != os.Getpid() || env.Backend != a.Trial.Backend || env.Platform != "go" || env.TrainableParams != 4096 {
		t.Errorf("environment %+v", env)
	}
	if p := rec.events[1].Prediction; p.PredictedBytes <= p.AnalysisBytes || !strings.Contains(p.Source, "rough") {
		t.Errorf("prediction %+v", p)
	}
	if m := rec.events[3].Memory; m.PeakHostBytes == nil || *m.PeakHostBytes < 1<<20 || m.HostSource != "VmHWM" || m.PeakDeviceBytes != nil {
		t.Errorf("memory %+v", m)
	}
}

// TestRunBestAdapter trains with a rate so high that the last evaluation is not the best, and checks the result against
// the events: the lowest evaluation after step 0, the training losses between it and the one before it.
func TestRunBestAdapter(t *testing.T) {
	t.Parallel()
	c := resolve(t, backend.PlatformGo)
	spec := tinySpec()
	spec.Train.LearningRate, spec.Train.LRSchedulerType, spec.Train.WarmupSteps = 100, "constant", 0
	a, dir, rec := assign(t, c, spec), t.TempDir(), &recorder{}
	must(t, trainer.Run(t.Context(), a, dir, rec.emit))
	o := rec.outcome(t)
	bestStep, bestLoss := 0, math.Inf(1)
	for step, loss := range rec.evaluations() {
		if step > 0 && loss < bestLoss {
			bestStep, bestLoss = step, loss
		}
	}
	if o.BestStep != bestStep || *o.ValLoss != bestLoss || *o.LastValLoss != rec.evaluations()[20] || bestStep == 20 {
		t.Errorf("outcome %+v, evaluations %v", o, rec.evaluations())
	}
	sum := 0.0
	for step := bestStep - 4; step <= bestStep; step++ {
		sum += rec.points()[step].TrainLoss
	}
	if *o.TrainLoss != sum/5 {
		t.Errorf("train_loss = %v, want %v", *o.TrainLoss, sum/5)
	}
	for folder, want := range map[string]float64{trainer.AdapterFolder: bestLoss, trainer.LastAdapterFolder: *o.LastValLoss} {
		got, err := trainer.Evaluate(t.Context(), trainer.EvaluateOptions{
			Model: a.Model, Adapter: filepath.Join(dir, folder), Data: a.Trial.Spec.Data.Validation, BatchSize: 2, Backend: c,
		})
		must(t, err)
		if !(math.Abs(got.Loss-want) <= 1e-6) { // rows in another order of summation
			t.Errorf("%s scores %v, want %v", folder, got.Loss, want)
		}
	}
}

// TestRunRetain scores data.retain beside every validation: at the start as the base does, at the best step as its adapter.
func TestRunRetain(t *testing.T) {
	t.Parallel()
	c := resolve(t, backend.PlatformGo)
	spec := tinySpec()
	spec.Data.Retain, spec.Train.Steps, spec.Train.LearningRate = []string{"some rows"}, 10, 1e-2
	a, dir, rec := assign(t, c, spec), t.TempDir(), &recorder{}
	must(t, trainer.Run(t.Context(), a, dir, rec.emit))
	o, retained := rec.outcome(t), map[int]float64{}
	for _, e := range rec.events {
		if e.Evaluation != nil {
			retained[e.Step] = *e.Evaluation.RetainLoss
		}
	}
	if len(retained) != 3 || *o.BaseRetain != retained[0] || *o.RetainLoss != retained[o.BestStep] ||
		*o.Forgetting() != retained[o.BestStep]-retained[0] {
		t.Errorf("outcome %+v, losses on data.retain %v", o, retained)
	}
	for adapter, want := range map[string]float64{"": retained[0], filepath.Join(dir, trainer.AdapterFolder): retained[o.BestStep]} {
		got, err := trainer.Evaluate(t.Context(), trainer.EvaluateOptions{
			Model: a.Model, Adapter: adapter, Data: a.Trial.Spec.Data.Retain, BatchSize: 2, Backend: c,
		})
		must(t, err)
		if !(math.Abs(got.Loss-want) <= 1e-6) { // rows in another order of summation
			t.Errorf("adapter %q scores %v on data.retain, want %v", adapter, got.Loss, want)
		}
	}
}

// TestRunOutcomes: how trials end that do not end well, and that nothing is trained where it must not be.
func TestRunOutcomes(t *testing.T) {
	t.Parallel()
	c := resolve(t, backend.PlatformGo)
	tests := map[string]struct {
		spec   func(*trial.Spec)
		change func(*trial.Assignment)
		state  trial.OutcomeState
		step   int
		want   []string
	}{
		"diverges": {
			spec:  func(s *trial.Spec) { s.Train.LearningRate, s.Train.WarmupSteps, s.Train.MaxGradNorm = 1e30, 0, 0 },
			state: trial.OutcomeUnstable, step: 2, want: []string{"step 2", "lower learning_rate"},
		},
		"predicted over memory": {
			change: func(a *trial.Assignment) { a.MemoryLimit = 1 << 20 },
			state:  trial.OutcomeOverMemory, want: []string{"rank 8 is predicted", "1 MiB", "limits.memory"},
		},
		"over time": {
			change: func(a *trial.Assignment) { a.TrialTime = time.Nanosecond },
			state:  trial.OutcomeOverTime, want: []string{"limits.trial_time of 1ns"},
		},
		"unknown schedule": {
			spec:  func(s *trial.Spec) { s.Train.LRSchedulerType = "polynomial" },
			state: trial.OutcomeFailed, want: []string{`"polynomial"`, "cosine"},
		},
		"never evaluates": {
			spec:  func(s *trial.Spec) { s.Train.EvalSteps = 0 },
			state: trial.OutcomeFailed, want: []string{"train.eval_steps is 0"},
		},
		"no module matches": {
			spec:  func(s *trial.Spec) { s.LoRA.TargetModules.List = []string{"q_proj"} },
			state: trial.OutcomeFailed, want: []string{"q_proj", "attn.c_attn"},
		},
		"another backend": {
			change: func(a *trial.Assignment) { a.Trial.Backend = "xla:cpu sha256:000000000000" },
			state:  trial.OutcomeFailed, want: []string{
				"xla:cpu sha256:000000000000", "a ladder stays on one",
				"restore it, then: sweep retry --failed",
			},
		},
		"model changed": {
			change: func(a *trial.Assignment) { a.Trial.Base = "f00" },
			state:  trial.OutcomeFailed, want: []string{"its files have changed", "restore it, then: sweep retry --failed"},
		},
		"corpus replaced": {
			change: func(a *trial.Assignment) { a.Trial.Data = "f00" },
			state:  trial.OutcomeFailed, want: []string{"it was replaced", "restore it, then: sweep retry --failed"},
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			spec := tinySpec()
			if tc.spec != nil {
				tc.spec(&spec)
			}
			a := assign(t, c, spec)
			if tc.change != nil {
				tc.change(&a)
			}
			rec := &recorder{}
			must(t, trainer.Run(t.Context(), a, t.TempDir(), rec.emit))
			o := rec.outcome(t)
			if o.State != tc.state || o.Step != tc.step || len(rec.points()) > tc.step || o.ValLoss != nil {
				t.Errorf("outcome %+v after %d points, want %s at step %d", o, len(rec.points()), tc.state, tc.step)
			}
			for _, part := range tc.want {
				if !strings.Contains(o.Error, part) {
					t.Errorf("error %q, want %q in it", o.Error, part)
				}
			}
		})
	}
}

// TestRunMeasuredOverMemory: a trial that has trained is not stopped by a prediction, but by what it then uses.
func TestRunMeasuredOverMemory(t *testing.T) {
	t.Parallel()
	spec := tinySpec()
	spec.Train.EvalSteps = 1
	a, dir := assign(t, resolve(t, backend.PlatformGo), spec), t.TempDir()
	killed := &recorder{limit: 10} // after the checkpoint of step 1
	if err := trainer.Run(t.Context(), a, dir, killed.emit); !errors.Is(err, errKilled) {
		t.Fatal(err)
	}
	a.Checkpoints, a.MemoryLimit = []string{dir}, 1<<20
	rec := &recorder{}
	must(t, trainer.Run(t.Context(), a, t.TempDir(), rec.emit))
	if o := rec.outcome(t); o.State != trial.OutcomeOverMemory || o.Step != 2 || !strings.Contains(o.Error, "rank 8 used") {
		t.Errorf("outcome %+v, want over memory at step 2", o)
	}
}

// TestRunPredictsFromCalibration: after a measured rung, a trial's peak is that rung's plus the corrected growth,
// and no prediction is below what the process has used already.
func TestRunPredictsFromCalibration(t *testing.T) {
	t.Parallel()
	a := assign(t, resolve(t, backend.PlatformGo), tinySpec())
	predict := func() trial.Prediction {
		rec := &recorder{limit: 2}
		if err := trainer.Run(t.Context(), a, t.TempDir(), rec.emit); !errors.Is(err, errKilled) {
			t.Fatal(err)
		}
		return *rec.events[1].Prediction
	}
	used, err := backend.PeakHostBytes()
	must(t, err)
	first := predict()
	a.Calibration = &trial.Calibration{Rank: 4, PeakBytes: 1 << 40, AnalysisBytes: first.AnalysisBytes - 100, Factor: 2.5}
	want := trial.Prediction{
		AnalysisBytes: first.AnalysisBytes, PredictedBytes: 1<<40 + 250,
		Source: "measured peak of rank 4 + count of tensors",
	}
	if diff := cmp.Diff(want, predict()); diff != "" {
		t.Error(diff)
	}
	a.Calibration.PeakBytes = 5000
	for _, p := range []trial.Prediction{first, predict()} {
		if p.PredictedBytes < used {
			t.Errorf("predicted %d bytes (%s), but %d were used before", p.PredictedBytes, p.Source, used)
		}
	}
}

// TestRunCommonRandomNumbers: with rate 0 the adapter stays the base model's function, so the losses show which rows each
// step saw: the same for every rank of a seed, others for another seed.
func TestRunCommonRandomNumbers(t *testing.T) {
	t.Parallel()
	c := resolve(t, backend.PlatformGo)
	losses := func(rank int, seed int64) map[int]float64 {
		spec := tinySpec()
		spec.Data.Shuffle, spec.Seed = true, seed
		spec.LoRA.Rank, spec.LoRA.Dropout, spec.Train.LearningRate = rank, 0.1, 0
		_, rec := uninterrupted(t, assign(t, c, spec))
		out := map[int]float64{}
		for step, p := range rec.points() {
			out[step] = p.TrainLoss
		}
		return out
	}
	low := losses(1, 5)
	if diff := cmp.Diff(low, losses(32, 5)); diff != "" {
		t.Errorf("two ranks of one seed saw different rows: %s", diff)
	}
	if cmp.Equal(low, losses(1, 6)) {
		t.Error("two seeds saw the same rows")
	}
}

// TestRunTimeAddsUp: trial_time counts what earlier attempts took.
func TestRunTimeAddsUp(t *testing.T) {
	t.Parallel()
	a, dir := assign(t, resolve(t, backend.PlatformGo), tinySpec()), t.TempDir()
	first := &recorder{limit: 15}
	if err := trainer.Run(t.Context(), a, dir, first.emit); !errors.Is(err, errKilled) {
		t.Fatal(err)
	}
	a.TrialTime = time.Millisecond // less than the first attempt took
	second := &recorder{}
	must(t, trainer.Run(t.Context(), a, dir, second.emit))
	if o := second.outcome(t); o.State != trial.OutcomeOverTime || o.Step == 0 {
		t.Errorf("outcome %+v, want over_time after the first attempt's steps", o)
	}
}

func TestRunStoppedBeforeItBegins(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	a, rec := assign(t, resolve(t, backend.PlatformGo), tinySpec()), &recorder{}
	must(t, trainer.Run(ctx, a, t.TempDir(), rec.emit))
	if o := rec.outcome(t); o.State != trial.OutcomeInterrupted {
		t.Errorf("outcome %+v, want interrupted", o)
	}
}

// TestRunSurvivesPanics: a corpus that vanishes while it is read panics; the attempt says so and ends.
func TestRunSurvivesPanics(t *testing.T) {
	t.Parallel()
	a, rec := assign(t, resolve(t, backend.PlatformGo), tinySpec()), &recorder{}
	must(t, trainer.Run(t.Context(), a, t.TempDir(), func(e trial.Event) error {
		if e.Kind == trial.EventPoint {
			must(t, os.Truncate(filepath.Join(a.Corpus.Path, "train.rows"), 0))
		}
		return rec.emit(e)
	}))
	o := rec.outcome(t)
	if o.State != trial.OutcomeFailed || o.Step != 1 || !strings.Contains(o.Error, "prepared corpus") ||
		strings.Contains(o.Error, "goroutine") {
		t.Errorf("outcome %+v, want failed with one line about the corpus", o)
	}
}

// TestRunUnwritableFolder: where no checkpoint can be saved, the attempt ends as if killed, with the path in the error.
func TestRunUnwritableFolder(t *testing.T) {
	t.Parallel()
	a, rec := assign(t, resolve(t, backend.PlatformGo), tinySpec()), &recorder{}
	dir := t.TempDir()
	must(t, os.WriteFile(filepath.Join(dir, "checkpoints"), nil, 0o600)) // where the folder would be
	err := trainer.Run(t.Context(), a, dir, rec.emit)
	if err == nil || !strings.Contains(err.Error(), dir) {
		t.Errorf("Run = %v, want an error with the path", err)
	}
	if last := rec.events[len(rec.events)-1]; last.Kind == trial.EventEnded {
		t.Errorf("ended with %+v", last.Outcome)
	}
}

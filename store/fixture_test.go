package store_test

import (
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/ranksweep/ranksweep/store"
	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/lora"
	"github.com/ranksweep/ranksweep/sweep/plateau"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

// moment returns a time n seconds into the tests' own day.
func moment(n int) time.Time {
	return time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC).Add(time.Duration(n) * time.Second)
}

// instant is moment(n) on a clock that runs evenly.
func instant(n int) sweep.Instant {
	return sweep.Instant{Wall: moment(n), Uptime: time.Duration(n) * time.Second}
}

// open returns a fresh database on a real file.
func open(t *testing.T) *store.DB {
	t.Helper()
	return openAt(t, filepath.Join(t.TempDir(), "sweep.db"))
}

func openAt(t *testing.T, path string) *store.DB {
	t.Helper()
	db, err := store.Open(t.Context(), path)
	if err != nil {
		t.Fatalf("Open(%s) = %v", path, err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Errorf("Close() = %v", err)
		}
	})
	return db
}

// info is a sweep of two seeds as CreateSweep takes it.
func info(name string) sweep.Info {
	rule := plateau.DefaultRule()
	rule.NoiseSource = "default"
	return sweep.Info{
		Name: name, GridText: "name: " + name + "\n", GridHash: "hash-" + name, GridPath: "/grids/" + name + ".yaml",
		Strategy: sweep.StrategyLadder, Rule: rule, Limits: sweep.Limits{Memory: 8 << 30, Time: 2 * time.Hour, TrialTime: 20 * time.Minute},
		Seeds: []int64{1, 0}, Created: moment(0),
	}
}

func makeTrial(alpha float64, rank int, seed int64) trial.Brief {
	return trial.New(trial.Spec{
		Model: "builtin:gopher",
		Data:  trial.DataSpec{Train: []string{"builtin:go-doc"}, ValidationSplit: 0.1, SequenceLength: 64, Shuffle: true},
		LoRA: lora.Spec{
			Rank: rank, Alpha: alpha, TargetModules: lora.Targets{List: []string{"c_attn"}}, Init: "kaiming",
		},
		Train: trial.TrainSpec{
			Steps: 4, BatchSize: 8, GradientAccumulationSteps: 1, LearningRate: 3e-3, LRSchedulerType: "linear",
			MaxGradNorm: 1, EvalSteps: 2, Dtype: "float32",
		},
		Seed: seed,
	}, "base-1", "data-1", "xla-cpu 0.11.2").Brief()
}

// registration has two ladders (alpha 16 and 32) of ranks 1 and 2.
func registration() sweep.Registration {
	r := sweep.Registration{
		Backend: "xla-cpu 0.11.2", Platform: "xla:cpu", PluginPath: "/lib/plugin.so",
		NoiseSD: 0.0125, NoiseSource: "sweep before", Warnings: []string{"rank 2 is above the width of c_small"},
	}
	for _, alpha := range []float64{16, 32} {
		plan := sweep.LadderPlan{
			Cell: sweep.Cell{
				{Name: "alpha", Value: map[float64]string{16: "16", 32: "32"}[alpha], Axis: true},
				{Name: "dropout", Value: "0"},
			},
			Model: trial.ModelInfo{
				Reference: "builtin:gopher", Fingerprint: "base-1", Architecture: "gpt2", Params: 1 << 20,
				Modules: []lora.Module{{Name: "transformer.h.0.attn.c_attn", In: 128, Out: 384}},
			},
			Corpus: trial.CorpusInfo{Fingerprint: "data-1", Path: "/cache/data-1", TrainSequences: 100, ValidationSequences: 10},
		}
		for _, rank := range []int{1, 2} {
			plan.Rungs = append(plan.Rungs, sweep.RungPlan{Rank: rank, Trials: []sweep.PlannedTrial{
				{Trial: makeTrial(alpha, rank, 1)}, {Trial: makeTrial(alpha, rank, 0)},
			}})
		}
		r.Ladders = append(r.Ladders, plan)
	}
	return r
}

// registered returns a database with one registered sweep, "first".
func registered(t *testing.T) (*store.DB, int64) {
	t.Helper()
	db := open(t)
	return db, register(t, db, "first")
}

func register(t *testing.T, db *store.DB, name string) int64 {
	t.Helper()
	id, err := db.CreateSweep(t.Context(), info(name))
	if err != nil {
		t.Fatalf("CreateSweep(%s) = %v", name, err)
	}
	if err := db.Register(t.Context(), id, registration()); err != nil {
		t.Fatalf("Register(%s) = %v", name, err)
	}
	return id
}

// script returns the events of a healthy attempt: 4 steps, evaluations at 0, 2 and 4, the best one at 4.
func script(valLoss float64) []trial.Event {
	env := trial.Environment{
		PID: 42, Host: "here", Cores: []int{0}, Backend: "xla-cpu 0.11.2", Platform: "xla:cpu", PluginPath: "/lib/plugin.so",
		PluginVersion: "0.11.2", PluginSHA256: "abc", Device: "cpu", Versions: map[string]string{"program": "dev"}, TrainableParams: 512,
	}
	events := []trial.Event{
		{Kind: trial.EventStarted, Environment: &env},
		{Kind: trial.EventPredicted, Prediction: &trial.Prediction{
			AnalysisBytes: 1000, PredictedBytes: 2000,
			Source: "analysis + baseline (rough)",
		}},
		{Kind: trial.EventEval, Step: 0, Evaluation: &trial.Evaluation{ValLoss: 5, Tokens: 630, Seconds: 0.5}},
	}
	for step := 1; step <= 4; step++ {
		events = append(events, trial.Event{Kind: trial.EventPoint, Step: step, Point: &trial.Point{
			Tokens: int64(504 * step), TrainLoss: 5 - float64(step)/10, GradNorm: 1.25, LearningRate: 3e-3,
		}})
		if step%2 == 0 {
			events = append(
				events,
				trial.Event{Kind: trial.EventEval, Step: step, Evaluation: &trial.Evaluation{
					ValLoss: valLoss + float64(4-step)/10, Tokens: 630, Seconds: 0.5,
				}},
				trial.Event{Kind: trial.EventMemory, Memory: &trial.Memory{
					PeakHostBytes: new(int64(1000 * step)), HostSource: "VmHWM", DeviceSource: "no device",
				}},
				trial.Event{Kind: trial.EventCheckpoint, Step: step},
			)
		}
	}
	events = append(events, trial.Event{Kind: trial.EventEnded, Outcome: &trial.Outcome{
		State: trial.OutcomeDone, Step: 4, ValLoss: new(valLoss), BestStep: 4, LastValLoss: new(valLoss), TrainLoss: new(4.65),
		Tokens: 2016, TrainSeconds: 3.5, TotalSeconds: 5.5,
	}})
	for i := range events {
		events[i].Seq, events[i].At = int64(i+1), moment(100+i)
	}
	return events
}

// launch begins an attempt and appends its events.
func launch(t *testing.T, db *store.DB, tr trial.Brief, number int, events []trial.Event) {
	t.Helper()
	id := attempt(tr, number)
	a := trial.Assignment{Attempt: id, Sweep: "first", Trial: tr.Trial(), Platform: "xla:cpu"}
	if err := db.BeginAttempt(t.Context(), tr.ID, number, a, moment(90+number)); err != nil {
		t.Fatalf("BeginAttempt(%s) = %v", id, err)
	}
	if err := db.AppendEvents(t.Context(), id, events); err != nil {
		t.Fatalf("AppendEvents(%s) = %v", id, err)
	}
}

func attempt(tr trial.Brief, number int) trial.AttemptID {
	return trial.NewAttemptID(tr.ID, number)
}

func snapshot(t *testing.T, db *store.DB, id int64) sweep.Snapshot {
	t.Helper()
	s, err := db.Snapshot(t.Context(), id)
	if err != nil {
		t.Fatalf("Snapshot(%d) = %v", id, err)
	}
	return s
}

func number(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }

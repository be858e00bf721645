package store_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ranksweep/ranksweep/store"
	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/sweeptest"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

func TestSnapshotReturnsWhatWasRegistered(t *testing.T) {
	t.Parallel()
	db, id := registered(t)
	r := registration()
	want := sweep.Snapshot{Sweep: info("first")}
	want.Sweep.ID = id
	want.Sweep.Backend, want.Sweep.Platform, want.Sweep.PluginPath = r.Backend, r.Platform, r.PluginPath
	want.Sweep.Rule.NoiseSD, want.Sweep.Rule.NoiseSource = r.NoiseSD, r.NoiseSource
	want.Sweep.Warnings = r.Warnings
	for i, l := range r.Ladders {
		ladder := sweep.Ladder{ID: int64(i + 1), Index: i, Cell: l.Cell, Model: l.Model, Corpus: l.Corpus}
		for _, r := range l.Rungs {
			rung := sweep.Rung{Rank: r.Rank}
			for _, t := range r.Trials {
				rung.Trials = append(rung.Trials, sweep.TrialFacts{Trial: t.Trial})
			}
			ladder.Rungs = append(ladder.Rungs, rung)
		}
		want.Ladders = append(want.Ladders, ladder)
	}
	if diff := cmp.Diff(want, snapshot(t, db, id)); diff != "" {
		t.Errorf("Snapshot() (-want +got):\n%s", diff)
	}
}

// TestSnapshotsAndListsTakeAConstantNumberOfQueries, whatever the number of ladders.
func TestSnapshotsAndListsTakeAConstantNumberOfQueries(t *testing.T) {
	t.Parallel()
	count := func(ladders int) (snapshots, lists int64) {
		db := open(t)
		id, err := db.CreateSweep(t.Context(), sweeptest.Info("large", sweeptest.LargeSeeds()...))
		if err != nil {
			t.Fatal(err)
		}
		if err := db.Register(t.Context(), id, largeRegistration(ladders)); err != nil {
			t.Fatal(err)
		}
		queries := store.CountQueries(db)
		snapshot(t, db, id)
		snapshots = queries.Swap(0)
		if _, err := db.List(t.Context()); err != nil {
			t.Fatal(err)
		}
		return snapshots, queries.Load()
	}
	snapshots, lists := count(2)
	moreSnapshots, moreLists := count(40)
	if snapshots == 0 || snapshots != moreSnapshots || lists == 0 || lists != moreLists {
		t.Errorf("%d and %d queries with 2 ladders, %d and %d with 40", snapshots, lists, moreSnapshots, moreLists)
	}
}

func TestSnapshotAddsUpAttempts(t *testing.T) {
	t.Parallel()
	db, id := registered(t)
	first := registration().Ladders[0].Rungs[0].Trials[0].Trial
	interrupted := script(4.5)[:8] // up to the checkpoint of step 2
	interrupted[6].Memory.PeakHostBytes = new(int64(9000))
	interrupted = append(interrupted, trial.Event{
		Seq: 9, At: moment(120), Kind: trial.EventEnded, Outcome: &trial.Outcome{State: trial.OutcomeCrashed, Error: "killed", Step: 2},
	})
	launch(t, db, first, 1, interrupted)
	launch(t, db, first, 2, script(4.25))

	got := snapshot(t, db, id).Ladders[0].Rungs[0].Trials[0]
	want := sweep.TrialFacts{
		Trial: first,
		Attempts: []sweep.AttemptFacts{
			{
				ID: attempt(first, 1), Number: 1, Sweep: "first", Intended: moment(91), LastSeq: 9, LastAt: moment(120), CheckpointStep: 2,
				Outcome: interrupted[8].Outcome,
			},
			{
				ID: attempt(first, 2), Number: 2, Sweep: "first", Intended: moment(92), LastSeq: 14, LastAt: moment(113), CheckpointStep: 4,
				Outcome: script(4.25)[13].Outcome,
			},
		},
		Evaluations: []sweep.StepLoss{
			{Step: 0, ValLoss: 5, Seconds: 0.5}, {Step: 2, ValLoss: 4.45, Seconds: 0.5}, {Step: 4, ValLoss: 4.25, Seconds: 0.5},
		},
		LastStep:        4,
		Tokens:          2016,
		TrainableParams: 512,
		Prediction:      &trial.Prediction{AnalysisBytes: 1000, PredictedBytes: 2000, Source: "analysis + baseline (rough)"},
		Memory:          trial.Memory{PeakHostBytes: new(int64(9000)), HostSource: "VmHWM", DeviceSource: "no device"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("trial of the snapshot (-want +got):\n%s", diff)
	}
	if got.Final().State != trial.OutcomeDone {
		t.Errorf("Final() = %v, want done", got.Final())
	}
}

func TestASweepSeesTrialsOfAnother(t *testing.T) {
	t.Parallel()
	db, _ := registered(t)
	launch(t, db, registration().Ladders[1].Rungs[1].Trials[0].Trial, 1, script(4.25))
	second := register(t, db, "second")
	got := snapshot(t, db, second).Ladders[1].Rungs[1].Trials[0]
	if got.Final() == nil || *got.Final().ValLoss != 4.25 {
		t.Errorf("the second sweep's trial has outcome %v, want the one that the first sweep trained", got.Final())
	}
}

func TestAppendingAgainChangesNothing(t *testing.T) {
	t.Parallel()
	db, id := registered(t)
	first := registration().Ladders[0].Rungs[0].Trials[0].Trial
	events := script(4.5)
	launch(t, db, first, 1, events[:5])
	launch(t, db, first, 1, events)
	before := snapshot(t, db, id)
	launch(t, db, first, 1, events[3:])
	if err := db.Register(t.Context(), id, registration()); err != nil {
		t.Errorf("Register again = %v", err)
	}
	if diff := cmp.Diff(before, snapshot(t, db, id)); diff != "" {
		t.Errorf("appending again changed the snapshot (-before +after):\n%s", diff)
	}
	points, err := db.Points(t.Context(), first.ID)
	if err != nil || len(points) != 4 {
		t.Errorf("Points() = %d points, %v; want 4", len(points), err)
	}
}

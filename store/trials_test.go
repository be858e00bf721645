package store_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ranksweep/ranksweep/store"
	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/plateau"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

func TestTrialByPrefix(t *testing.T) {
	t.Parallel()
	db := open(t)
	if _, err := db.Trial(t.Context(), "x"); !errors.Is(err, sweep.ErrNotFound) || !strings.Contains(err.Error(), "no trial") {
		t.Errorf("Trial in an empty database = %v, want ErrNotFound that says so", err)
	}
	id := register(t, db, "first")
	first := registration().Ladders[0].Rungs[0].Trials[0].Trial
	launch(t, db, first, 1, script(4.5))
	launch(t, db, first, 2, append(script(4.25)[:1], trial.Event{Seq: 2, At: moment(7), Kind: trial.EventResumed, Step: 2}))

	got, err := db.Trial(t.Context(), string(first.ID[:12]))
	if err != nil {
		t.Fatalf("Trial(%s) = %v", first.ID[:12], err)
	}
	facts := snapshot(t, db, id).Ladders[0].Rungs[0].Trials[0]
	want := store.TrialRecord{
		TrialFacts: facts,
		Places:     []store.Place{{Sweep: "first", Ladder: 1, Rank: 1, Seed: 1}},
		Launches: []store.Launch{
			{
				AttemptFacts: facts.Attempts[0], Environment: script(0)[0].Environment, Prediction: script(0)[1].Prediction,
				Memory: trial.Memory{PeakHostBytes: new(int64(4000)), HostSource: "VmHWM", DeviceSource: "no device"},
			},
			{AttemptFacts: facts.Attempts[1], Environment: script(0)[0].Environment, ResumedFrom: new(2)},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Trial() (-want +got):\n%s", diff)
	}
	if _, err := db.Trial(t.Context(), ""); !errors.Is(err, store.ErrAmbiguous) || !strings.Contains(err.Error(), string(first.ID)) {
		t.Errorf("Trial of the empty prefix = %v, want the trials it could be", err)
	}
	if _, err := db.Trial(t.Context(), "x"); !errors.Is(err, sweep.ErrNotFound) {
		t.Errorf("Trial(x) = %v, want ErrNotFound", err)
	}
}

func TestCurvesTakeTheNewestAttempt(t *testing.T) {
	t.Parallel()
	db, _ := registered(t)
	first := registration().Ladders[0].Rungs[0].Trials[0].Trial
	launch(t, db, first, 1, script(4.5)[:8]) // steps 1 and 2
	resumed := script(4.25)
	resumed[3].Point.TrainLoss = 1 // step 1
	resumed[3].Step, resumed[4].Step = 2, 3
	launch(t, db, first, 2, append(resumed[:1:1], resumed[3], resumed[4], resumed[12]))

	points, err := db.Points(t.Context(), first.ID)
	var steps [][3]float64
	for _, p := range points {
		steps = append(steps, [3]float64{float64(p.Attempt), float64(p.Step), p.TrainLoss})
	}
	if diff := cmp.Diff([][3]float64{{1, 1, 4.9}, {2, 2, 1}, {2, 3, 4.8}}, steps); err != nil || diff != "" {
		t.Errorf("Points(): %v, attempt, step and loss (-want +got):\n%s", err, diff)
	}
	evals, err := db.Evals(t.Context(), first.ID)
	var losses []float64
	for _, e := range evals {
		losses = append(losses, e.ValLoss)
	}
	if diff := cmp.Diff([]float64{5, 4.7}, losses); err != nil || diff != "" {
		t.Errorf("Evals(): %v (-want +got):\n%s", err, diff)
	}
	if evals[1].Tokens != 630 || evals[1].Seconds != 0.5 || evals[1].At.IsZero() || points[0].Tokens != 504 {
		t.Errorf("Evals()[1] = %+v, Points()[0] = %+v", evals[1], points[0])
	}
}

func TestFinishedLadders(t *testing.T) {
	t.Parallel()
	db, id := registered(t)
	train := registration().Ladders[0].Rungs[0].Trials[0].Trial.Spec().Train
	for i, l := range registration().Ladders {
		for j, rung := range l.Rungs[:2-i] { // the second ladder's rank 2 was never started
			for k, planned := range rung.Trials {
				launch(t, db, planned.Trial, 1, script(4+float64(4*i+2*j+k)/8))
			}
		}
	}
	read := func(train trial.TrainSpec, base string) []sweep.FinishedLadder {
		t.Helper()
		got, err := db.FinishedLadders(t.Context(), base, "data-1", train)
		if err != nil {
			t.Fatalf("FinishedLadders() = %v", err)
		}
		return got
	}
	ladders := snapshot(t, db, id).Ladders
	for i, state := range []plateau.State{plateau.StateRunning, plateau.StatePlateau} {
		if err := db.RecordVerdict(t.Context(), ladders[i].ID, plateau.Verdict{State: state}, moment(1)); err != nil {
			t.Fatal(err)
		}
	}
	if got := read(train, "base-1"); len(got) != 0 {
		t.Errorf("FinishedLadders() while one is running = %v, want none", got)
	}
	if err := db.RecordVerdict(t.Context(), ladders[0].ID, plateau.Verdict{State: plateau.StatePlateau}, moment(2)); err != nil {
		t.Fatal(err)
	}
	losses := func(rank int, y ...float64) plateau.Losses {
		return plateau.Losses{Rank: rank, Seeds: []int64{1, 0}, ValLoss: y, Train: []float64{4.65, 4.65}, Last: y, Complete: true}
	}
	want := []sweep.FinishedLadder{
		{Sweep: "first", Rungs: []plateau.Losses{losses(1, 4, 4.125), losses(2, 4.25, 4.375)}},
		{Sweep: "first", Rungs: []plateau.Losses{losses(1, 4.5, 4.625)}},
	}
	if diff := cmp.Diff(want, read(train, "base-1")); diff != "" {
		t.Errorf("FinishedLadders() (-want +got):\n%s", diff)
	}
	other := train
	other.LearningRate /= 2
	if got := append(read(other, "base-1"), read(train, "base-2")...); len(got) != 0 {
		t.Errorf("FinishedLadders() with other inputs = %v, want none", got)
	}
}

package store_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ranksweep/ranksweep/store"
	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/plateau"
	"github.com/ranksweep/ranksweep/sweep/sweeptest"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

// climbed returns a database with one trial in every state a person may see.
func climbed(t *testing.T) (*store.DB, int64) {
	t.Helper()
	db, id := registered(t)
	l := registration().Ladders
	launch(t, db, l[0].Rungs[0].Trials[0].Trial, 1, script(4.5))
	launch(t, db, l[0].Rungs[0].Trials[1].Trial, 1, []trial.Event{
		{Seq: 1, At: moment(1), Kind: trial.EventEnded, Outcome: &trial.Outcome{State: trial.OutcomeCrashed, Error: "signal: killed"}},
	})
	launch(t, db, l[0].Rungs[0].Trials[1].Trial, 2, script(4.25))
	launch(t, db, l[0].Rungs[1].Trials[0].Trial, 1, script(4)[:4])
	launch(t, db, l[1].Rungs[0].Trials[0].Trial, 1, []trial.Event{
		{Seq: 1, At: moment(1), Kind: trial.EventEnded, Outcome: &trial.Outcome{State: trial.OutcomeUnstable, Error: "NaN at step 3", Step: 3}},
	})
	launch(t, db, l[1].Rungs[0].Trials[1].Trial, 1, []trial.Event{
		{Seq: 1, At: moment(1), Kind: trial.EventEnded, Outcome: &trial.Outcome{State: trial.OutcomeInterrupted, Error: "asked to stop"}},
	})
	return db, id
}

func TestViewTrials(t *testing.T) {
	t.Parallel()
	db, _ := climbed(t)
	if err := db.Exec(t.Context(), `UPDATE outcomes SET cause = 'nan' WHERE state = 'unstable'`); err != nil {
		t.Fatal(err)
	}
	got, err := db.Query(t.Context(), `SELECT sweep, ladder, cell, rank, seed, state, val_loss, step, steps, attempts,
		peak_host_bytes, peak_host_source, peak_device_bytes, predicted_bytes, trainable_params, first_started, error, cause FROM trials`)
	want := [][]string{
		{
			"first", "1", "alpha=16", "1", "0", "done", "4.25", "4", "4", "2", "4000", "VmHWM", "NULL", "2000", "512", "2026-11-23T12:01:31Z",
			"", "",
		},
		{
			"first", "1", "alpha=16", "1", "1", "done", "4.5", "4", "4", "1", "4000", "VmHWM", "NULL", "2000", "512", "2026-11-23T12:01:31Z",
			"", "",
		},
		{"first", "1", "alpha=16", "2", "0", "pending", "NULL", "0", "4", "0", "NULL", "NULL", "NULL", "NULL", "NULL", "NULL", "NULL", "NULL"},
		{
			"first", "1", "alpha=16", "2", "1", "running", "NULL", "1", "4", "1", "NULL", "NULL", "NULL", "2000", "512",
			"2026-11-23T12:01:31Z", "NULL", "NULL",
		},
		{
			"first", "2", "alpha=32", "1", "0", "interrupted", "NULL", "0", "4", "1", "NULL", "NULL", "NULL", "NULL", "NULL",
			"2026-11-23T12:01:31Z", "NULL", "",
		},
		{
			"first", "2", "alpha=32", "1", "1", "unstable", "NULL", "0", "4", "1", "NULL", "NULL", "NULL", "NULL", "NULL",
			"2026-11-23T12:01:31Z", "NaN at step 3", "nan",
		},
		{"first", "2", "alpha=32", "2", "0", "pending", "NULL", "0", "4", "0", "NULL", "NULL", "NULL", "NULL", "NULL", "NULL", "NULL", "NULL"},
		{"first", "2", "alpha=32", "2", "1", "pending", "NULL", "0", "4", "0", "NULL", "NULL", "NULL", "NULL", "NULL", "NULL", "NULL", "NULL"},
	}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("view trials: %v (-want +got):\n%s", err, diff)
	}
}

func TestViewRungsAndVerdicts(t *testing.T) {
	t.Parallel()
	db, id := climbed(t)
	got, err := db.Query(t.Context(), `SELECT ladder, cell, rank, seeds, finished, mean_val_loss, min_val_loss, max_val_loss,
		peak_host_bytes, train_seconds FROM rungs`)
	want := [][]string{
		{"1", "alpha=16", "1", "2", "2", "4.375", "4.25", "4.5", "4000", "7"},
		{"1", "alpha=16", "2", "2", "0", "NULL", "NULL", "NULL", "NULL", "NULL"},
		{"2", "alpha=32", "1", "2", "0", "NULL", "NULL", "NULL", "NULL", "0"},
		{"2", "alpha=32", "2", "2", "0", "NULL", "NULL", "NULL", "NULL", "NULL"},
	}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("view rungs: %v (-want +got):\n%s", err, diff)
	}

	ladder := snapshot(t, db, id).Ladders[1].ID
	v := plateau.Verdict{
		State: plateau.StateLikelyPlateau, RecommendedRank: 1, BestRank: 2, EquivalentRanks: []int{1, 2},
		Probability: new(0.75), MinGain: 0.02, Reason: plateau.Finding{Code: "because"},
	}
	for i, v := range []plateau.Verdict{{State: plateau.StateRunning}, v} {
		if err := db.RecordVerdict(t.Context(), ladder, v, moment(i)); err != nil {
			t.Fatal(err)
		}
	}
	got, err = db.Query(t.Context(), `SELECT sweep, ladder, cell, state, recommended_rank, best_rank, equivalent_ranks,
		probability, min_gain, reason, at FROM verdicts`)
	want = [][]string{{
		"first", "2", "alpha=32", "likely_plateau", "1", "2", "[1,2]", "0.75", "0.02", "because", "2026-11-23T12:00:01Z",
	}}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("view verdicts: %v (-want +got):\n%s", err, diff)
	}
}

func TestViewsShowForgettingAndAccuracy(t *testing.T) {
	t.Parallel()
	db, _ := registered(t)
	events := script(4.5)
	events[2].Evaluation.RetainLoss = new(3.0)
	last := events[len(events)-1].Outcome
	for i := range events {
		if e := &events[i]; e.Evaluation != nil && e.Step == last.BestStep {
			e.Evaluation.TokenAccuracy, e.Evaluation.ExactMatch = new(0.75), new(0.5)
		}
	}
	last.RetainLoss, last.BaseRetain = new(3.25), new(3.0)
	launch(t, db, registration().Ladders[0].Rungs[0].Trials[0].Trial, 1, events)
	launch(t, db, registration().Ladders[0].Rungs[0].Trials[1].Trial, 1, script(4.25))
	got, err := db.Query(t.Context(), `SELECT val_loss, token_accuracy, exact_match, retain_loss, forgetting FROM trials
		WHERE val_loss IS NOT NULL`)
	if diff := cmp.Diff([][]string{{"4.25", "NULL", "NULL", "NULL", "NULL"}, {"4.5", "0.75", "0.5", "3.25", "0.25"}}, got); err != nil ||
		diff != "" {
		t.Errorf("view trials: %v (-want +got):\n%s", err, diff)
	}
	got, err = db.Query(t.Context(), `SELECT mean_token_accuracy, mean_exact_match, mean_retain_loss, mean_forgetting FROM rungs
		WHERE finished > 0`)
	if diff := cmp.Diff([][]string{{"0.75", "0.5", "3.25", "0.25"}}, got); err != nil || diff != "" {
		t.Errorf("view rungs: %v (-want +got):\n%s", err, diff)
	}
	evals, err := db.Evals(t.Context(), registration().Ladders[0].Rungs[0].Trials[0].Trial.ID)
	if err != nil || *evals[0].RetainLoss != 3 || evals[1].RetainLoss != nil {
		t.Errorf("Evals() = %+v, %v", evals, err)
	}
}

func TestViewsAgreeWithTheSnapshot(t *testing.T) {
	t.Parallel()
	db, id := climbed(t)
	for _, l := range snapshot(t, db, id).Ladders {
		for _, r := range l.Rungs {
			for _, facts := range r.Trials {
				got, err := db.Query(t.Context(), `SELECT step, attempts, state IN ('done', 'unstable', 'over_memory', 'over_time', 'failed'),
					val_loss FROM trials WHERE ladder = ? AND rank = ? AND seed = ? AND id = ?`,
					l.ID, r.Rank, facts.Trial.Seed, facts.Trial.ID)
				loss := "NULL"
				if o := facts.Final(); o != nil && o.ValLoss != nil {
					loss = number(*o.ValLoss)
				}
				over := "0"
				if facts.Final() != nil {
					over = "1"
				}
				want := [][]string{{number(float64(facts.LastStep)), number(float64(len(facts.Attempts))), over, loss}}
				if diff := cmp.Diff(want, got); err != nil || diff != "" {
					t.Errorf("view and snapshot of rank %d seed %d: %v (-snapshot +view):\n%s", r.Rank, facts.Trial.Seed, err, diff)
				}
			}
		}
	}
}

// TestViewsOfAScreening: what a later attempt that screens a trial came to does not change what was trained.
func TestViewsOfAScreening(t *testing.T) {
	t.Parallel()
	db, _ := registered(t)
	top := registration().Ladders[0].Rungs[1].Trials[0].Trial
	launch(t, db, top, 1, script(4.5))
	launch(t, db, top, 2, []trial.Event{
		{Seq: 1, At: moment(1), Kind: trial.EventScreened, Screened: &trial.Screened{Rank: 1, ValLoss: 4.75, Tokens: 630, Seconds: 0.5}},
		{Seq: 2, At: moment(2), Kind: trial.EventEnded, Outcome: &trial.Outcome{State: trial.OutcomeOverMemory, Error: "killed"}},
	})
	got, err := db.Query(t.Context(), `SELECT t.state, t.val_loss, s.rank, s.val_loss FROM trials t JOIN screened s ON s.trial_id = t.id`)
	if diff := cmp.Diff([][]string{{"done", "4.5", "1", "4.75"}}, got); err != nil || diff != "" {
		t.Errorf("view trials: %v (-want +got):\n%s", err, diff)
	}
}

// TestViewsOfAScout: a scout is a trial of no rung, in the views and where sweeps are listed; what it shows is in the view screened.
func TestViewsOfAScout(t *testing.T) {
	t.Parallel()
	db := open(t)
	info := sweeptest.Info("scouted", 1, 0)
	info.Strategy = sweep.StrategyScout
	id, err := db.CreateSweep(t.Context(), info)
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Register(t.Context(), id, sweeptest.Registration([]float64{16}, []int{2, 4}, []int64{1, 0})); err != nil {
		t.Fatal(err)
	}
	counts := func() [4]int {
		list, err := db.List(t.Context())
		if err != nil || len(list) != 1 {
			t.Fatalf("list %+v: %v", list, err)
		}
		return [4]int{list[0].Trials, list[0].Done, list[0].Open, list[0].Reference}
	}
	before := snapshot(t, db, id)
	drawn := sweep.Decide(before, nil, sweep.Capacity{Jobs: 1}).Register[0]
	if err := db.AddTrials(t.Context(), before.Ladders[0].ID, drawn.Trials); err != nil {
		t.Fatal(err)
	}
	registered := counts()
	events := script(4.5)
	end := events[len(events)-1]
	shown := trial.Event{
		Seq: end.Seq, At: end.At, Kind: trial.EventScreened, Screened: &trial.Screened{Rank: 2, ValLoss: 4.75, Tokens: 630, Seconds: 0.5},
	}
	end.Seq++
	launch(t, db, drawn.Trials[0].Trial, 1, append(events[:len(events)-1], shown, end))
	if done := counts(); registered != [4]int{5, 0, 0, 0} || done != [4]int{5, 1, 0, 0} {
		t.Errorf("trials, done, open, of references: %v once the scout is registered, %v once it is done", registered, done)
	}
	for query, want := range map[string][][]string{
		`SELECT kind, scout_rank, rank, alpha, seed, extra, state, val_loss FROM trials ORDER BY kind DESC LIMIT 2`: {
			{"scout", "4", "NULL", "16", "1", "0", "done", "4.5"}, {"rung", "NULL", "2", "16", "0", "0", "pending", "NULL"},
		},
		`SELECT rank, seeds, finished FROM rungs`:                                              {{"2", "2", "0"}, {"4", "2", "0"}},
		`SELECT t.kind, s.rank, s.val_loss FROM trials t JOIN screened s ON s.trial_id = t.id`: {{"scout", "2", "4.75"}},
	} {
		got, err := db.Query(t.Context(), query)
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%s: %v (-want +got):\n%s", query, err, diff)
		}
	}
}

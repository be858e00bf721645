package store_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/sweeptest"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

// TestViewRungsChoosesAsTheDomainDoes: of a tuned rung the view shows the candidate that stands for it, over the grid's seeds.
func TestViewRungsChoosesAsTheDomainDoes(t *testing.T) {
	t.Parallel()
	db := open(t)
	id, err := db.CreateSweep(t.Context(), sweeptest.Info("first", 0, 1))
	if err != nil {
		t.Fatal(err)
	}
	r := sweeptest.TunedRegistration([]float64{1e-3, 2e-3, 3e-3}, []float64{16}, []int{1}, []int64{0, 1})
	if err := db.Register(t.Context(), id, r); err != nil {
		t.Fatal(err)
	}
	var trials []trial.Brief
	for _, t := range r.Ladders[0].Rungs[0].Trials {
		trials = append(trials, t.Trial)
	}
	for i, loss := range []float64{4.5, 4.25, 4.25, 4.25, 4, 0} { // the third candidate's second seed is unstable
		if loss > 0 {
			launch(t, db, trials[i], 1, script(loss))
			continue
		}
		launch(t, db, trials[i], 1, []trial.Event{
			{Seq: 1, At: moment(1), Kind: trial.EventEnded, Outcome: &trial.Outcome{State: trial.OutcomeUnstable, Error: "NaN", Step: 3}},
		})
	}
	extra := sweep.ExtraTrial{Rank: 1, PlannedTrial: sweep.PlannedTrial{Candidate: 1, Trial: trials[2].WithSeed(2)}}
	if err := db.AddTrials(t.Context(), snapshot(t, db, id).Ladders[0].ID, []sweep.ExtraTrial{extra}); err != nil {
		t.Fatal(err)
	}
	launch(t, db, extra.Trial, 1, script(9))
	got, err := db.Query(t.Context(), `SELECT rank, tuned, seeds, finished, mean_val_loss FROM rungs`)
	if diff := cmp.Diff([][]string{{"1", "learning_rate=0.002", "2", "2", "4.25"}}, got); err != nil || diff != "" {
		t.Errorf("view rungs: %v (-want +got):\n%s", err, diff)
	}
	if chosen, ok := snapshot(t, db, id).Ladders[0].Rungs[0].Chosen(); !ok || chosen != 1 {
		t.Errorf("the domain chooses candidate %d, %v", chosen, ok)
	}
	got, err = db.Query(t.Context(), `SELECT seed, candidate, tuned, extra, val_loss FROM trials WHERE candidate = 1`)
	want := [][]string{
		{"0", "1", "learning_rate=0.002", "0", "4.25"},
		{"1", "1", "learning_rate=0.002", "0", "4.25"},
		{"2", "1", "learning_rate=0.002", "1", "9"},
	}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("view trials: %v (-want +got):\n%s", err, diff)
	}
}

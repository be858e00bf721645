package store_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/ranksweep/ranksweep/store"
	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/plateau"
	"github.com/ranksweep/ranksweep/sweep/sweeptest"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

// registeredGrid registers a sweep of ladders by alpha.
func registeredGrid(t *testing.T, db *store.DB, name string, alphas []float64, ranks []int, seeds ...int64) sweep.Snapshot {
	t.Helper()
	id, err := db.CreateSweep(t.Context(), sweeptest.Info(name, seeds...))
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Register(t.Context(), id, sweeptest.Registration(alphas, ranks, seeds)); err != nil {
		t.Fatal(err)
	}
	return snapshot(t, db, id)
}

// finish makes an attempt of a trial that is done at once.
func finish(t *testing.T, db *store.DB, by string, tr trial.Trial, number int) {
	t.Helper()
	a := trial.Assignment{Attempt: trial.NewAttemptID(tr.ID, number), Sweep: by, Trial: tr}
	if err := db.BeginAttempt(t.Context(), tr.ID, number, a, moment(number)); err != nil {
		t.Fatal(err)
	}
	if err := db.AppendEvents(t.Context(), a.Attempt, script(4.5)); err != nil {
		t.Fatal(err)
	}
}

func sound(t *testing.T, db *store.DB) {
	t.Helper()
	for _, check := range []string{`PRAGMA foreign_key_check`, `SELECT 1 FROM pragma_integrity_check WHERE integrity_check <> 'ok'`} {
		if rows, err := db.Query(t.Context(), check); err != nil || len(rows) > 0 {
			t.Errorf("%s: %v, %v", check, rows, err)
		}
	}
}

// TestExtend: a sweep that was extended holds what one registered with the edited grid would, and keeps what was said of its ladders; one
// that would lose something is refused and stays as it was.
func TestExtend(t *testing.T) {
	t.Parallel()
	db := open(t)
	before := registeredGrid(t, db, "test", []float64{16, 32}, []int{1, 2}, 1, 0)
	finish(t, db, "test", sweeptest.Trial(16, 1, 0), 1)
	extra := []sweep.ExtraTrial{ // one of a seed that the edited grid has, one that it has not
		{Rank: 2, PlannedTrial: sweep.PlannedTrial{Trial: sweeptest.Trial(16, 2, 2).Brief()}},
		{Rank: 2, PlannedTrial: sweep.PlannedTrial{Trial: sweeptest.Trial(16, 2, 7).Brief()}},
	}
	if err := db.AddTrials(t.Context(), before.Ladders[0].ID, extra); err != nil {
		t.Fatal(err)
	}
	v := plateau.Verdict{State: plateau.StateStillImproving, RecommendedRank: 2}
	if err := db.RecordVerdict(t.Context(), before.Ladders[0].ID, v, moment(9)); err != nil {
		t.Fatal(err)
	}
	before = snapshot(t, db, before.Sweep.ID)
	for name, r := range map[string]sweep.Registration{
		"a rank": sweeptest.Registration([]float64{16, 32}, []int{2, 4}, []int64{0, 1}),
		"a seed": sweeptest.Registration([]float64{16, 32}, []int{1, 2}, []int64{0, 2}),
		"a cell": sweeptest.Registration([]float64{16, 8}, []int{1, 2}, []int64{0, 1}),
	} {
		if _, err := before.Extend(r); !errors.Is(err, trial.ErrInput) {
			t.Errorf("without %s: Extend = %v, want ErrInput", name, err)
		}
	}
	alphas, ranks, seeds := []float64{8, 32, 16}, []int{1, 2, 4}, []int64{0, 1, 2}
	given := store.GivenGrid{At: moment(10), Text: "edited", Hash: "edited", Path: "/grids/edited.yaml"}
	if err := db.AskGrid(t.Context(), before.Sweep.ID, given); err != nil {
		t.Fatal(err)
	}
	waiting := snapshot(t, db, before.Sweep.ID)
	if waiting.Sweep.Asked.Grid == 0 {
		t.Error("the grid does not wait for the coordinator")
	}
	x, err := before.Extend(sweeptest.Registration(alphas, ranks, seeds))
	if err != nil {
		t.Fatal(err)
	}
	info := sweeptest.Info("test", seeds...)
	info.GridText, info.GridHash, info.GridPath, info.Rule.Patience = given.Text, given.Hash, given.Path, 5
	if err := db.Extend(t.Context(), before, info, x); err != nil {
		t.Fatal(err)
	}
	got := snapshot(t, db, before.Sweep.ID)
	if err := db.AskGrid(t.Context(), before.Sweep.ID, given); err != nil {
		t.Fatal(err)
	}
	if again := snapshot(t, db, before.Sweep.ID); again.Sweep.Asked != got.Sweep.Asked {
		t.Errorf("given what the sweep has already: asked %+v, then %+v", got.Sweep.Asked, again.Sweep.Asked)
	}

	other := open(t)
	fresh := registeredGrid(t, other, "test", alphas, ranks, seeds...)
	finish(t, other, "test", sweeptest.Trial(16, 1, 0), 1)
	if err := other.AddTrials(t.Context(), fresh.Ladders[2].ID, extra[1:]); err != nil {
		t.Fatal(err)
	}
	want := snapshot(t, other, fresh.Sweep.ID)
	if diff := cmp.Diff(want.Ladders, got.Ladders, cmpopts.EquateEmpty(), cmpopts.IgnoreFields(sweep.Ladder{}, "ID")); diff != "" {
		t.Errorf("ladders (-registered afresh +extended):\n%s", diff)
	}
	if s := got.Sweep; s.Asked.Grid != 0 || s.GridText != "edited" || s.Rule.Patience != 5 || !slices.Equal(s.Seeds, seeds) {
		t.Errorf("extended: %+v", s)
	}
	if got.Ladders[2].ID != before.Ladders[0].ID || got.Ladders[1].ID != before.Ladders[1].ID {
		t.Error("the ladders lost their rows, and with them their verdicts")
	}
	rows, err := db.Query(t.Context(), `SELECT state, recommended_rank FROM verdicts`)
	if diff := cmp.Diff([][]string{{"still_improving", "2"}}, rows); err != nil || diff != "" {
		t.Errorf("verdicts: %v (-want +got):\n%s", err, diff)
	}
	grids, err := db.Grids(t.Context(), got.Sweep.ID)
	if err != nil || len(grids) != 2 || grids[0].Hash != before.Sweep.GridHash || grids[1].Text != "edited" {
		t.Errorf("grids = %+v, %v", grids, err)
	}
	sound(t, db)
}

// TestRemoveSweep: what other sweeps share stays, and who follows them sees what comes after, whatever ids went.
func TestRemoveSweep(t *testing.T) {
	t.Parallel()
	db := open(t)
	keeps := registeredGrid(t, db, "keeps", []float64{16}, []int{1, 2}, 0)
	goes := registeredGrid(t, db, "goes", []float64{16, 32}, []int{1}, 0)
	shared, own := sweeptest.Trial(16, 1, 0), sweeptest.Trial(32, 1, 0)
	finish(t, db, "goes", shared, 1)
	finish(t, db, "goes", own, 1)
	finish(t, db, "goes", own, 2)
	if err := db.Retry(t.Context(), goes.Sweep.ID, []trial.AttemptID{trial.NewAttemptID(shared.ID, 1)}, moment(5)); err != nil {
		t.Fatal(err)
	}
	keeps = snapshot(t, db, keeps.Sweep.ID)

	stuck := errors.New("the disk is gone")
	before := snapshot(t, db, goes.Sweep.ID)
	if err := db.RemoveSweep(t.Context(), goes.Sweep.ID, func([]trial.ID) error { return stuck }); !errors.Is(err, stuck) {
		t.Fatalf("RemoveSweep = %v, want what drop said", err)
	}
	if diff := cmp.Diff(before, snapshot(t, db, goes.Sweep.ID)); diff != "" {
		t.Errorf("a removal that failed changed facts:\n%s", diff)
	}
	var dropped []trial.ID
	err := db.RemoveSweep(t.Context(), goes.Sweep.ID, func(ids []trial.ID) error { dropped = ids; return nil })
	if diff := cmp.Diff([]trial.ID{own.ID}, dropped); err != nil || diff != "" {
		t.Fatalf("RemoveSweep = %v, dropped (-want +got):\n%s", err, diff)
	}
	if _, err := db.Find(t.Context(), "goes"); !errors.Is(err, sweep.ErrNotFound) {
		t.Errorf("Find of a removed sweep = %v, want ErrNotFound", err)
	}
	sound(t, db)
	finish(t, db, "keeps", sweeptest.Trial(16, 2, 0), 1)
	next, err := db.Refresh(t.Context(), keeps)
	if err != nil {
		t.Fatal(err)
	}
	launcher := cmpopts.IgnoreFields(sweep.AttemptFacts{}, "Sweep") // of what was known: another sweep, or one that is gone
	if diff := cmp.Diff(snapshot(t, db, keeps.Sweep.ID).Ladders, next.Ladders, launcher); diff != "" {
		t.Errorf("after the removal (-read anew +refreshed):\n%s", diff)
	}
	if state := next.Ladders[0].Rungs[1].Trials[0].State(); state != sweep.TrialDone {
		t.Errorf("the attempt after the removal is not seen: %s", state)
	}
}

// TestRename: what a sweep launched under its old name is its own under the new one.
func TestRename(t *testing.T) {
	t.Parallel()
	db := open(t)
	s := registeredGrid(t, db, "old", []float64{16}, []int{1}, 0)
	registeredGrid(t, db, "taken", []float64{32}, []int{1}, 0)
	tr := sweeptest.Trial(16, 1, 0)
	a := trial.Assignment{Attempt: trial.NewAttemptID(tr.ID, 1), Sweep: "old", Trial: tr}
	if err := db.BeginAttempt(t.Context(), tr.ID, 1, a, moment(1)); err != nil {
		t.Fatal(err)
	}
	failed := trial.Event{Seq: 1, At: moment(2), Kind: trial.EventEnded, Outcome: &trial.Outcome{State: trial.OutcomeFailed}}
	if err := db.AppendEvents(t.Context(), a.Attempt, []trial.Event{failed}); err != nil {
		t.Fatal(err)
	}
	given := store.GivenGrid{At: moment(3), Text: "name: new", Hash: "new", Path: "/grids/new.yaml"}
	const refused = "rename to taken: there is a sweep of that name already"
	if err := db.Rename(t.Context(), s.Sweep.ID, "taken", given); err == nil || err.Error() != refused {
		t.Errorf("a name that is taken: %v", err)
	}
	if err := db.Rename(t.Context(), s.Sweep.ID, "new", given); err != nil {
		t.Fatal(err)
	}
	again := registeredGrid(t, db, "old", []float64{16}, []int{1}, 0) // the name is free, and its attempts are not the new sweep's
	for id, want := range map[int64]sweep.TrialState{s.Sweep.ID: sweep.TrialFailed, again.Sweep.ID: sweep.TrialInterrupted} {
		got := snapshot(t, db, id)
		if state := got.Ladders[0].Rungs[0].Trials[0].State(); state != want || got.Sweep.Asked.Grid != 0 {
			t.Errorf("in sweep %s the trial is %s, want %s; asked %+v", got.Sweep.Name, state, want, got.Sweep.Asked)
		}
	}
	sound(t, db)
}

// TestRepairAfterRenameAndRemoval: a database made of the folders has a renamed sweep under its new name with what it launched under the
// old one, another that has taken that name, and none that was removed.
func TestRepairAfterRenameAndRemoval(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	path := filepath.Join(root, "sweep.db")
	db := openAt(t, path)
	shared := sweeptest.Trial(16, 1, 0)
	launched := func(by string, number int, at time.Time) {
		t.Helper()
		a := trial.Assignment{Attempt: trial.NewAttemptID(shared.ID, number), Sweep: by, Trial: shared}
		must(t, db.BeginAttempt(t.Context(), shared.ID, number, a, at))
		failed := trial.Event{Seq: 1, At: at, Kind: trial.EventEnded, Outcome: &trial.Outcome{State: trial.OutcomeFailed}}
		must(t, db.AppendEvents(t.Context(), a.Attempt, []trial.Event{failed}))
		dir, err := a.Attempt.MakeDir(root)
		must(t, err)
		must(t, trial.WriteAssignment(dir, a))
		line, err := failed.MarshalLine()
		must(t, err)
		must(t, os.WriteFile(filepath.Join(dir, trial.EventsFile), line, 0o600))
	}
	registered := func(name string, minute int, ranks ...int) sweep.Snapshot {
		t.Helper()
		info := sweeptest.Info(name, 0)
		info.Created = info.Created.Add(time.Duration(minute) * time.Minute)
		id, err := db.CreateSweep(t.Context(), info)
		must(t, err)
		must(t, db.Register(t.Context(), id, sweeptest.Registration([]float64{16}, ranks, []int64{0})))
		return snapshot(t, db, id)
	}
	keep := func(id int64, number int) {
		t.Helper()
		r := store.Recorder{DB: db, Sweep: id}
		must(t, r.Keep(t.Context(), trial.NewAttemptID(shared.ID, number).Dir(root), moment(9)))
	}
	renamed := registered("old", 0, 1)
	launched("old", 1, renamed.Sweep.Created.Add(1))
	keep(renamed.Sweep.ID, 1)
	given := store.GivenGrid{At: moment(3), Text: "name: new", Hash: "new", Path: "/grids/new.yaml"}
	must(t, db.Rename(t.Context(), renamed.Sweep.ID, "new", given))
	keep(renamed.Sweep.ID, 1) // at the same time as before, in the same place
	again := registered("old", 1, 1)
	launched("old", 2, again.Sweep.Created.Add(1))
	keep(again.Sweep.ID, 2)
	removed := registered("removed", 2, 1, 2)
	keep(removed.Sweep.ID, 2)
	forgotten := store.Recorder{DB: db, Sweep: removed.Sweep.ID}
	must(t, db.RemoveSweep(t.Context(), removed.Sweep.ID, func([]trial.ID) error { return forgotten.Forget(t.Context(), root) }))
	want := map[string]sweep.Snapshot{"new": snapshot(t, db, renamed.Sweep.ID), "old": snapshot(t, db, again.Sweep.ID)}
	must(t, db.Close())
	for _, lost := range []bool{false, true} {
		if lost {
			remove(t, path, path+"-wal", path+"-shm")
		}
		r, err := store.Repair(t.Context(), root, nothing)
		if err != nil || r.Aside != "" || len(r.TakenIn)+len(r.Losses) > 0 {
			t.Fatalf("Repair, lost: %t = %+v, %v, want no difference", lost, r, err)
		}
		db := openAt(t, path)
		if _, err := db.Find(t.Context(), "removed"); !errors.Is(err, sweep.ErrNotFound) {
			t.Errorf("lost: %t: Find of the removed sweep = %v, want ErrNotFound", lost, err)
		}
		for name, want := range want {
			info, err := db.Find(t.Context(), name)
			must(t, err)
			sameFacts(t, want, snapshot(t, db, info.ID))
		}
		must(t, db.Close())
	}
}

// TestVerdictsAfterAWish: a verdict counts that was found since a person last wished something, though it is the one of before and the time
// of day stepped back.
func TestVerdictsAfterAWish(t *testing.T) {
	t.Parallel()
	db := open(t)
	s := registeredGrid(t, db, "test", []float64{16}, []int{1, 2}, 0)
	finish(t, db, "test", sweeptest.Trial(16, 1, 0), 1)
	v := plateau.Verdict{State: plateau.StateStillImproving, RecommendedRank: 2}
	want := func(what string, want plateau.State) {
		t.Helper()
		list, err := db.List(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if got := list[0].Verdicts[0]; got != want {
			t.Errorf("%s: the ladder is listed as %s, want %s", what, got, want)
		}
	}
	record := func() {
		t.Helper()
		if err := db.RecordVerdict(t.Context(), s.Ladders[0].ID, v, moment(3)); err != nil {
			t.Fatal(err)
		}
	}
	record()
	want("recorded", v.State)
	last := trial.NewAttemptID(sweeptest.Trial(16, 1, 0).ID, 1)
	if err := db.Retry(t.Context(), s.Sweep.ID, []trial.AttemptID{last}, moment(9)); err != nil {
		t.Fatal(err)
	}
	want("after a retry", plateau.StateRunning)
	record()
	want("found again", v.State)
	record()
	if rows, err := db.Query(t.Context(), `SELECT 1 FROM ladder_verdicts`); err != nil || len(rows) != 2 {
		t.Errorf("%d verdicts recorded, want 2; %v", len(rows), err)
	}
}

// TestRefreshAfterRename: a coordinator whose sweep is renamed while it runs still takes what runs for its own.
func TestRefreshAfterRename(t *testing.T) {
	t.Parallel()
	db := open(t)
	id := registeredGrid(t, db, "before", []float64{16}, []int{1, 2}, 0).Sweep.ID
	tr := sweeptest.Trial(16, 1, 0)
	a := trial.Assignment{Attempt: trial.NewAttemptID(tr.ID, 1), Sweep: "before", Trial: tr}
	if err := db.BeginAttempt(t.Context(), tr.ID, 1, a, moment(1)); err != nil {
		t.Fatal(err)
	}
	known := snapshot(t, db, id)
	given := store.GivenGrid{Text: "name: after\n", Hash: "hash-after", Path: "/grids/after.yaml"}
	if err := db.Rename(t.Context(), id, "after", given); err != nil {
		t.Fatal(err)
	}
	next, err := db.Refresh(t.Context(), known)
	if err != nil {
		t.Fatal(err)
	}
	if got := next.Ladders[0].Rungs[0].Trials[0].Attempts[0].Sweep; got != "after" {
		t.Errorf("the attempt that runs is of sweep %q, want after", got)
	}
}

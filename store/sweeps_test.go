package store_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ranksweep/ranksweep/store"
	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/plateau"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

func TestFindNamesWhatThereIs(t *testing.T) {
	t.Parallel()
	db := open(t)
	if _, err := db.Find(t.Context(), ""); !errors.Is(err, sweep.ErrNotFound) {
		t.Errorf("Find in an empty database = %v, want ErrNotFound", err)
	}
	for i, name := range []string{"first", "second"} {
		s := info(name)
		s.Created = moment(i)
		if _, err := db.CreateSweep(t.Context(), s); err != nil {
			t.Fatal(err)
		}
	}
	_, err := db.Find(t.Context(), "third")
	if !errors.Is(err, sweep.ErrNotFound) || !strings.Contains(err.Error(), "first, second") {
		t.Errorf("Find(third) = %v, want ErrNotFound and the names there are", err)
	}
	got, err := db.Find(t.Context(), "")
	if err != nil || got.Name != "second" {
		t.Errorf("Find of the latest = %q, %v; want second", got.Name, err)
	}
	want := info("first")
	want.ID = 1
	got, err = db.Find(t.Context(), "first")
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("Find(first) = %v (-want +got):\n%s", err, diff)
	}
	if _, err := db.CreateSweep(t.Context(), info("first")); err == nil || !strings.Contains(err.Error(), "already") {
		t.Errorf("CreateSweep of a taken name = %v, want an error that says so", err)
	}
}

func TestRemoveUnregistered(t *testing.T) {
	t.Parallel()
	db, kept := registered(t)
	taken, err := db.CreateSweep(t.Context(), info("second"))
	if err != nil {
		t.Fatal(err)
	}
	session, err := db.StartSession(t.Context(), taken, instant(0), sweep.Coordinator{Host: "here", PID: 7})
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range []int64{kept, taken, 99} {
		if err := db.RemoveUnregistered(t.Context(), id); err != nil {
			t.Errorf("RemoveUnregistered(%d) = %v", id, err)
		}
	}
	if err := db.EndSession(t.Context(), session, instant(1)); err != nil {
		t.Errorf("EndSession after the removal = %v; nobody else holds the sweep", err)
	}
	list, err := db.List(t.Context())
	if err != nil || len(list) != 1 || list[0].Name != "first" {
		t.Errorf("List() = %+v, %v; want only the registered sweep", list, err)
	}
	again, err := db.CreateSweep(t.Context(), info("second"))
	if err != nil || again == taken {
		t.Errorf("CreateSweep after the removal = %d, %v; want an id never used before", again, err)
	}
	if _, err := db.StartSession(t.Context(), again, instant(1), sweep.Coordinator{Host: "here", PID: 7}); err != nil {
		t.Errorf("StartSession after the removal = %v; the lease should have gone with the sweep", err)
	}
}

func TestListCountsTrials(t *testing.T) {
	t.Parallel()
	db, id := registered(t)
	ladders := registration().Ladders
	launch(t, db, ladders[0].Rungs[0].Trials[0].Trial, 1, script(4.5))
	launch(t, db, ladders[0].Rungs[0].Trials[1].Trial, 1, script(4.5)[:4])
	launch(t, db, ladders[0].Rungs[1].Trials[0].Trial, 1, []trial.Event{
		{Seq: 1, At: moment(1), Kind: trial.EventEnded, Outcome: &trial.Outcome{State: trial.OutcomeFailed, Error: "no"}},
	})
	list, err := db.List(t.Context())
	if err != nil || len(list) != 1 {
		t.Fatalf("List() = %d sweeps, %v", len(list), err)
	}
	want := store.Summary{
		Info: snapshot(t, db, id).Sweep, Ladders: 2, Trials: 8, Done: 1, Failed: 1, Open: 1,
		Verdicts: []plateau.State{plateau.StateRunning, plateau.StateRunning},
	}
	if diff := cmp.Diff(want, list[0]); diff != "" {
		t.Errorf("List()[0] (-want +got):\n%s", diff)
	}
}

func TestRegisterRefusesChangedInputs(t *testing.T) {
	t.Parallel()
	db, id := registered(t)
	before := snapshot(t, db, id)
	tests := map[string]struct {
		change func(*sweep.Registration)
		want   string
	}{
		"backend":    {func(r *sweep.Registration) { r.Backend = "go" }, "begun on xla-cpu"},
		"no backend": {func(r *sweep.Registration) { r.Backend = "" }, "no backend"},
		"model":      {func(r *sweep.Registration) { r.Ladders[0].Model.Fingerprint = "x" }, "model builtin:gopher has changed"},
		"data":       {func(r *sweep.Registration) { r.Ladders[1].Corpus.Fingerprint = "x" }, "data have changed"},
		"ladders":    {func(r *sweep.Registration) { r.Ladders = r.Ladders[:1] }, "2 ladders, not 1: the database has not kept all"},
		"ranks": {func(r *sweep.Registration) {
			r.Ladders[0].Rungs = r.Ladders[0].Rungs[:1]
		}, "2 ranks, not 1: the database has not kept all"},
		"trial": {func(r *sweep.Registration) { r.Ladders[0].Rungs[0].Trials[0].Trial = makeTrial(64, 1, 1) }, "rank 1, seed 1 is trial"},
		"place": {func(r *sweep.Registration) { r.Ladders[0].Rungs[0].Trials[0].Trial = makeTrial(16, 2, 1) }, "has rank 2"},
		"seeds": {
			func(r *sweep.Registration) { r.Ladders[0].Rungs[0].Trials = r.Ladders[0].Rungs[0].Trials[:1] },
			"1 trials for 1 candidates and 2 seeds",
		},
	}
	for name, tt := range tests {
		r := registration()
		tt.change(&r)
		if err := db.Register(t.Context(), id, r); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("Register with another %s = %v, want %q", name, err, tt.want)
		}
	}
	if diff := cmp.Diff(before, snapshot(t, db, id)); diff != "" {
		t.Errorf("a refused registration changed the snapshot:\n%s", diff)
	}
	if err := db.Register(t.Context(), 99, registration()); !errors.Is(err, sweep.ErrNotFound) {
		t.Errorf("Register of an unknown sweep = %v, want ErrNotFound", err)
	}
}

func TestRegisterFollowsMovedInputs(t *testing.T) {
	t.Parallel()
	db, id := registered(t)
	r := registration()
	r.Ladders[0].Corpus.Path = "/elsewhere/data-1"
	r.Ladders[0].Rungs[0].Trials[0].Trial.Shared.Spec.Model = "/elsewhere/gopher"
	if err := db.Register(t.Context(), id, r); err != nil {
		t.Fatalf("Register() = %v", err)
	}
	got := snapshot(t, db, id).Ladders[0]
	if got.Corpus.Path != "/elsewhere/data-1" || got.Rungs[0].Trials[0].Trial.Spec().Model != "/elsewhere/gopher" {
		t.Errorf("the corpus is at %s and the model at %s, want where they moved to",
			got.Corpus.Path, got.Rungs[0].Trials[0].Trial.Spec().Model)
	}
}

// TestSnapshotHolds: what was registered need not be registered again, unless its inputs have moved or it is something else.
func TestSnapshotHolds(t *testing.T) {
	t.Parallel()
	db, id := registered(t)
	if s := snapshot(t, db, id); !s.Holds(registration()) {
		t.Error("the sweep does not hold what was registered")
	}
	for name, change := range map[string]func(*sweep.Registration){
		"backend":    func(r *sweep.Registration) { r.Backend = "another" },
		"plug-in":    func(r *sweep.Registration) { r.PluginPath = "/elsewhere/plugin.so" },
		"corpus":     func(r *sweep.Registration) { r.Ladders[0].Corpus.Path = "/elsewhere" },
		"model":      func(r *sweep.Registration) { r.Ladders[0].Model.Path = "/elsewhere" },
		"ladders":    func(r *sweep.Registration) { r.Ladders = append(r.Ladders, r.Ladders[0]) },
		"rungs":      func(r *sweep.Registration) { r.Ladders[0].Rungs = r.Ladders[0].Rungs[:1] },
		"seeds":      func(r *sweep.Registration) { r.Ladders[0].Rungs[0].Trials = r.Ladders[0].Rungs[0].Trials[:1] },
		"last trial": func(r *sweep.Registration) { r.Ladders[0].Rungs[1].Trials[1].Trial = makeTrial(64, 2, 2) },
		"place": func(r *sweep.Registration) {
			r.Ladders[0].Rungs[1].Trials[0].Trial.Shared.Spec.Data.Train = []string{"/elsewhere"}
		},
		"reference": func(r *sweep.Registration) { r.Ladders[0].Reference = r.Ladders[0].Rungs[0].Trials },
	} {
		r := registration()
		change(&r)
		if snapshot(t, db, id).Holds(r) {
			t.Errorf("the sweep holds a registration with another %s", name)
		}
	}
}

// TestCurrentSeesAddedTrials: between reading a sweep and taking over its lease another coordinator may have added trials.
func TestCurrentSeesAddedTrials(t *testing.T) {
	t.Parallel()
	db, id := registered(t)
	before := snapshot(t, db, id)
	extra := sweep.ExtraTrial{Rank: 2, PlannedTrial: sweep.PlannedTrial{Trial: makeTrial(16, 2, 7)}}
	if err := db.AddTrials(t.Context(), before.Ladders[0].ID, []sweep.ExtraTrial{extra}); err != nil {
		t.Fatal(err)
	}
	launch(t, db, makeTrial(16, 1, 1), 1, script(4))
	now, err := db.Current(t.Context(), before)
	if diff := cmp.Diff(snapshot(t, db, id), now); err != nil || diff != "" {
		t.Errorf("Current() = %v (-read anew +got):\n%s", err, diff)
	}
	launch(t, db, makeTrial(16, 1, 0), 1, script(4))
	again, err := db.Current(t.Context(), now)
	if err != nil || again.Ladders[0].Unchanged(now.Ladders[0]) || cmp.Diff(snapshot(t, db, id), again) != "" {
		t.Errorf("Current() = %v, %+v; want what is known now", err, again)
	}
}

func TestOpenReadOnlyNeedsADatabase(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "sweep.db")
	if _, err := store.OpenReadOnly(t.Context(), path); !errors.Is(err, sweep.ErrNotFound) {
		t.Errorf("OpenReadOnly of nothing = %v, want ErrNotFound", err)
	}
	if entries, _ := os.ReadDir(dir); len(entries) > 0 {
		t.Errorf("OpenReadOnly left %v behind", entries)
	}
	if err := os.WriteFile(path, []byte("no database, but some text that is long enough to be one"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, open := range map[string]func() error{
		"OpenReadOnly": func() error { _, err := store.OpenReadOnly(t.Context(), path); return err },
		"Open":         func() error { _, err := store.Open(t.Context(), path); return err },
	} {
		if err := open(); err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "not a database") {
			t.Errorf("%s of a text file = %v, want the path and the reason", name, err)
		}
	}
}

func TestOpenReadOnlyAtRest(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	db := openAt(t, filepath.Join(dir, "sweep.db"))
	id := register(t, db, "first")
	snapshot(t, db, id)
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	names := func() (names []string) {
		entries, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			names = append(names, e.Name())
		}
		return names
	}
	before := names()
	reader, err := store.OpenReadOnly(t.Context(), filepath.Join(dir, "sweep.db"))
	if err != nil {
		t.Fatal(err)
	}
	snapshot(t, reader, id)
	if err := reader.Close(); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before, names()); diff != "" {
		t.Errorf("a reader left files behind (-before +after):\n%s", diff)
	}
	copied := filepath.Join(t.TempDir(), "copy with ?#% in its name.db")
	content, err := os.ReadFile(filepath.Join(dir, "sweep.db"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(copied, content, 0o600); err != nil {
		t.Fatal(err)
	}
	copyReader, err := store.OpenReadOnly(t.Context(), copied)
	if err != nil {
		t.Fatalf("OpenReadOnly of a copy of the file alone = %v", err)
	}
	defer copyReader.Close() //nolint:errcheck // it only reads
	snapshot(t, copyReader, id)
}

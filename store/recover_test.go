package store_test

import (
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/ranksweep/ranksweep/store"
	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

// TestTakeInKeepsTheOrderOfSessions: where the numbers of a sweep's sessions are taken, its newest one is the newest still.
func TestTakeInKeepsTheOrderOfSessions(t *testing.T) {
	t.Parallel()
	root, before := ran(t)
	path := filepath.Join(root, "sweep.db")
	begin := func(db *store.DB, id int64, n int) {
		for i := range n {
			session, err := db.StartSession(t.Context(), id, instant(500+10*i), sweep.Coordinator{Host: "here", PID: os.Getpid()})
			must(t, err)
			must(t, db.EndSession(t.Context(), session, instant(505+10*i)))
		}
	}
	db := openAt(t, path)
	begin(db, before.Sweep.ID, 7)
	must(t, (&store.Recorder{DB: db, Sweep: before.Sweep.ID}).KeepLast(t.Context(), root, moment(700)))
	must(t, db.Close())
	remove(t, path, path+"-wal", path+"-shm")
	db = openAt(t, path)
	other := info("second")
	other.Created = moment(1)
	second, err := db.CreateSweep(t.Context(), other)
	must(t, err)
	begin(db, second, 4)
	losses, err := db.TakeIn(t.Context(), root)
	if err != nil || len(losses) > 0 {
		t.Fatalf("TakeIn = %v, %v", losses, err)
	}
	first, err := db.Find(t.Context(), "first")
	must(t, err)
	must(t, db.Close())
	file, err := sql.Open("sqlite3", path)
	must(t, err)
	defer file.Close() //nolint:errcheck // read only
	list, err := file.QueryContext(t.Context(), `SELECT started_ns FROM sessions WHERE sweep_id = ? ORDER BY id`, first.ID)
	must(t, err)
	defer list.Close() //nolint:errcheck // read only
	var starts []int64
	for list.Next() {
		var ns int64
		must(t, list.Scan(&ns))
		starts = append(starts, ns)
	}
	must(t, list.Err())
	if len(starts) != 8 || !slices.IsSorted(starts) {
		t.Errorf("the sessions taken in began at %v, want 8 in the order that they had", starts)
	}
}

// TestRecover: a lost or an empty database is made anew, beside workers too; one that is there stays as it is, and one that a command has
// open to write is left to it.
func TestRecover(t *testing.T) {
	t.Parallel()
	for name, lose := range map[string]func(path string) error{
		"lost": os.Remove, "empty": func(path string) error { return os.Truncate(path, 0) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			root, want := ran(t)
			path := filepath.Join(root, "sweep.db")
			if losses, recovered, err := store.Recover(t.Context(), root, nothing); recovered || len(losses) > 0 || err != nil {
				t.Fatalf("where there is one: Recover = %v, %t, %v", losses, recovered, err)
			}
			worker, err := trial.LockEvents(filepath.Dir(firstLog(t, root)))
			must(t, err)
			defer worker.Close() //nolint:errcheck // read only
			db := openAt(t, path)
			must(t, lose(path))
			if _, recovered, err := store.Recover(t.Context(), root, nothing); recovered || !errors.Is(err, sweep.ErrLocked) {
				t.Fatalf("beside one who has it open to write: %t, %v, want ErrLocked", recovered, err)
			}
			must(t, db.Close())
			losses, recovered, err := store.Recover(t.Context(), root, nothing)
			if !recovered || len(losses) > 0 || err != nil {
				t.Fatalf("Recover = %v, %t, %v", losses, recovered, err)
			}
			sameFacts(t, want, reopened(t, root))
		})
	}
	if _, recovered, err := store.Recover(t.Context(), t.TempDir(), nothing); recovered || err != nil {
		t.Errorf("where nothing was run: %t, %v", recovered, err)
	}
}

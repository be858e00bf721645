package main

import (
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ranksweep/ranksweep/sweep/trial"
)

// proof is what a sweep ends with, whatever happened to it on the way.
type proof struct {
	Report   string
	Adapters map[string]string // SHA-256 of each file of the adapters of trials that are done
}

// ledger is what a database says has happened.
type ledger struct {
	events  map[string]bool          // "trial/attempt seq kind step"
	done    map[string]int           // attempts that ended with a loss, by trial
	adapter map[string]bool          // folders of attempts that ended with a loss, below the root
	tries   map[string]int           // attempts by trial
	ended   map[trial.AttemptID]bool // every attempt, and whether it has ended
}

func eventKey(attempt trial.AttemptID, seq int64, kind trial.EventKind, step int) string {
	return fmt.Sprintf("%s %d %s %d", attempt, seq, kind, step)
}

// readLedger reads a root's database and its log, leaves both as they are for the next coordinator, and checks them. There may be none.
func readLedger(t *testing.T, root string) ledger {
	t.Helper()
	l := ledger{
		events: map[string]bool{}, done: map[string]int{}, adapter: map[string]bool{}, tries: map[string]int{},
		ended: map[trial.AttemptID]bool{},
	}
	path := filepath.Join(root, "sweep.db")
	if info, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) || err == nil && info.Size() == 0 {
		return l // a kill may leave it empty
	}
	if _, err := os.Stat(path + "-journal"); err == nil {
		return l // cut before it had a log, which holds all that was ever written
	}
	db, err := sql.Open("sqlite3", "file:"+path+"?mode=ro&_busy_timeout=5000")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close() //nolint:errcheck // it was only read
	query := func(statement string, row func(*sql.Rows) error) {
		rows, err := db.QueryContext(t.Context(), statement)
		if err != nil {
			t.Fatalf("%s: %s: %v", path, statement, err)
		}
		defer rows.Close() //nolint:errcheck // it was only read
		for rows.Next() {
			if err := row(rows); err != nil {
				t.Fatal(err)
			}
		}
		if err := rows.Err(); err != nil {
			t.Fatalf("%s: %s: %v", path, statement, err)
		}
	}
	query(`PRAGMA integrity_check`, func(r *sql.Rows) (err error) {
		var said string
		if err = r.Scan(&said); said != "ok" {
			t.Errorf("integrity_check of %s: %s", path, said)
		}
		return err
	})
	query(`PRAGMA foreign_key_check`, func(*sql.Rows) error {
		t.Errorf("foreign_key_check of %s finds rows", path)
		return nil
	})
	tables := 0
	query(`SELECT count(*) FROM sqlite_schema WHERE name IN ('attempts', 'events', 'outcomes')`,
		func(r *sql.Rows) error { return r.Scan(&tables) })
	if tables < 3 {
		return l // cut before the first migration
	}
	query(`SELECT a.trial_id, a.number, o.state FROM attempts a LEFT JOIN outcomes o ON o.attempt_id = a.id`, func(r *sql.Rows) error {
		var id, number string
		var state sql.NullString
		err := r.Scan(&id, &number, &state)
		l.tries[id]++
		l.ended[trial.AttemptID(id+"/"+number)] = state.Valid
		if state.String == string(trial.OutcomeDone) {
			l.done[id]++
			l.adapter[filepath.Join("trials", id, number, "adapter")] = true
		}
		return err
	})
	const stored = `SELECT a.trial_id || '/' || a.number, e.seq, e.kind, e.step FROM events e JOIN attempts a ON a.id = e.attempt_id`
	query(stored, func(r *sql.Rows) error {
		var attempt trial.AttemptID
		var seq int64
		var kind trial.EventKind
		var step int
		err := r.Scan(&attempt, &seq, &kind, &step)
		l.events[eventKey(attempt, seq, kind, step)] = true
		return err
	})
	return l
}

// lacks returns what acknowledged holds and the ledger does not.
func (l ledger) lacks(acknowledged map[string]bool) []string {
	var lost []string
	for key := range acknowledged {
		if !l.events[key] {
			lost = append(lost, key)
		}
	}
	slices.Sort(lost)
	return lost
}

// proof returns what the finished sweep ends with. It fails where the database is not sound, or where a trial has two results.
func (s *testSweep) proof() proof {
	s.t.Helper()
	l := readLedger(s.t, s.rootDir())
	for id, n := range l.done {
		if n > 1 {
			s.t.Errorf("trial %s has %d results", id, n)
		}
	}
	p := proof{Report: s.report(), Adapters: map[string]string{}}
	for _, folder := range slices.Sorted(maps.Keys(l.adapter)) {
		id := filepath.Base(filepath.Dir(filepath.Dir(folder)))
		for _, name := range []string{"adapter_config.json", "adapter_model.safetensors"} {
			body, err := os.ReadFile(filepath.Join(s.rootDir(), folder, name))
			if err != nil {
				s.t.Errorf("the adapter of a trial that is done: %v", err)
			}
			sum := sha256.Sum256(body)
			p.Adapters[filepath.Join(id, name)] = hex.EncodeToString(sum[:])
		}
	}
	return p
}

// mustEqual compares a sweep to which something happened with one to which nothing did.
func (s *testSweep) mustEqual(want proof, happened string) {
	s.t.Helper()
	if diff := cmp.Diff(want, s.proof()); diff != "" {
		s.t.Errorf("%s: the sweep ended otherwise (-undisturbed +this):\n%s", happened, diff)
	}
}

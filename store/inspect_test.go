package store_test

import (
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mattn/go-sqlite3"

	"github.com/ranksweep/ranksweep/store"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

// TestDamageIsToldFromFaults: what keeps SQLite from reading a database now says nothing of what is in it.
func TestDamageIsToldFromFaults(t *testing.T) {
	t.Parallel()
	for code, passes := range map[sqlite3.ErrNo]bool{
		sqlite3.ErrBusy: true, sqlite3.ErrLocked: true, sqlite3.ErrIoErr: true, sqlite3.ErrCantOpen: true, sqlite3.ErrFull: true,
		sqlite3.ErrPerm: true, sqlite3.ErrNomem: true, sqlite3.ErrReadonly: true, sqlite3.ErrProtocol: true,
		sqlite3.ErrCorrupt: false, sqlite3.ErrNotADB: false, sqlite3.ErrError: false, sqlite3.ErrSchema: false, sqlite3.ErrFormat: false,
	} {
		err := fmt.Errorf("read: %w", sqlite3.Error{Code: code, ExtendedCode: code.Extend(3)})
		if store.Passing(err) != passes {
			t.Errorf("%v: passing is %t, want %t", err, !passes, passes)
		}
	}
	for found, passes := range map[string]bool{
		"Tree 7 page 12: unable to get the page. error code=266":             true, // IOERR_READ
		"*** in database main ***\nbtreeInitPage() returns error code 7":     true, // NOMEM
		"Tree 7 page 12: btreeInitPage() returns error code 11":              false,
		"Tree 9 page 9 cell 3: Rowid 7 out of order":                         false,
		"row 3 missing from index points_by_step":                            false,
		"wrong # of entries in index events_by_kind: error code of a person": false,
	} {
		if err := store.PassingCheck(found); (err != nil) != passes || err != nil && !store.Passing(err) {
			t.Errorf("%q: %v, want it to pass: %t", found, err, passes)
		}
	}
}

// TestCheckFindsEventsWithoutTheirFacts: a database that has an event and not what it carries does not pass, whatever its kind.
func TestCheckFindsEventsWithoutTheirFacts(t *testing.T) {
	t.Parallel()
	for _, table := range store.FactTables() {
		t.Run(table, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "sweep.db")
			db := openAt(t, path)
			register(t, db, "first")
			tr := registration().Ladders[0].Rungs[0].Trials[0].Trial
			events := script(4.5)
			ended := events[len(events)-1]
			events = append(
				events[:len(events)-1],
				trial.Event{Kind: trial.EventScreened, Screened: &trial.Screened{Rank: 2, ValLoss: 4.75, Tokens: 630, Seconds: 1}},
				trial.Event{Kind: trial.EventUpdates, Updates: []trial.ModuleUpdate{{Module: "h.0.attn.c_attn", Norm: 1, StableRank: 2}}},
				ended,
			)
			for i := range events {
				events[i].Seq, events[i].At = int64(i+1), moment(100+i)
			}
			launch(t, db, tr, 1, events)
			must(t, db.Check(t.Context()))
			statement(`DELETE FROM `+table)(t, path)
			if err := db.Check(t.Context()); err == nil || !strings.Contains(err.Error(), "/1 has lost its data") {
				t.Errorf("without its %s: %v", table, err)
			}
		})
	}
}

// TestRepairLeavesADatabaseThatCannotBeReadNow: it is no damage that another program has it locked or its log cannot be opened.
func TestRepairLeavesADatabaseThatCannotBeReadNow(t *testing.T) {
	t.Parallel()
	for name, hinder := range map[string]func(t *testing.T, path string) (free func()){
		"locked": func(t *testing.T, path string) func() {
			t.Helper()
			other, err := sql.Open("sqlite3", "file:"+path+"?_locking_mode=EXCLUSIVE&_txlock=exclusive")
			must(t, err)
			tx, err := other.BeginTx(t.Context(), nil)
			must(t, err)
			return func() { must(t, errors.Join(tx.Rollback(), other.Close())) }
		},
		"cannot be opened": func(t *testing.T, path string) func() {
			t.Helper()
			remove(t, path+"-wal")
			must(t, os.Mkdir(path+"-wal", 0o700))
			return func() { remove(t, path+"-wal") }
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			root, want := ran(t)
			path := filepath.Join(root, "sweep.db")
			free := hinder(t, path)
			if health, why, err := store.Inspect(t.Context(), path); err == nil {
				t.Errorf("Inspect = %s, %s, want an error", health, why)
			}
			if r, err := store.Repair(t.Context(), root, nothing); err == nil || r.Aside != "" {
				t.Errorf("Repair = %+v, %v, want an error and nothing moved", r, err)
			}
			free()
			if r, err := store.Repair(t.Context(), root, nothing); err != nil || r.Found != store.HealthSound || r.Aside != "" {
				t.Errorf("Repair once it can be read = %+v, %v", r, err)
			}
			sameFacts(t, want, reopened(t, root))
		})
	}
}

package store_test

import (
	"database/sql"
	"errors"
	"strings"
	"testing"

	"github.com/ranksweep/ranksweep/store"
	"github.com/ranksweep/ranksweep/sweep"
)

// TestAnotherProgramsTransaction: what is to be written while another program keeps the database locked fails as sweep.ErrBusy, which a
// coordinator waits out, and is written once that has ended.
func TestAnotherProgramsTransaction(t *testing.T) {
	t.Parallel()
	db := open(t)
	id, err := db.CreateSweep(t.Context(), info("test"))
	must(t, err)
	must(t, store.HurryWrites(t.Context(), db))
	other, err := sql.Open("sqlite3", "file:"+db.Path()+"?_txlock=immediate")
	must(t, err)
	tx, err := other.BeginTx(t.Context(), nil)
	must(t, err)
	err = db.Ask(t.Context(), id, sweep.RequestPause, moment(1))
	if !errors.Is(err, sweep.ErrBusy) || !strings.Contains(err.Error(), db.Path()) {
		t.Errorf("Ask = %v, want ErrBusy with the database's path", err)
	}
	must(t, errors.Join(tx.Rollback(), other.Close()))
	must(t, db.Ask(t.Context(), id, sweep.RequestPause, moment(1)))
}

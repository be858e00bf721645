package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

// correct copies a database that can be used, but for what the logs of some attempts say otherwise, and returns where the copy lies; ""
// where there is nothing of attempts alone to correct, or where that did not bring the two together.
func correct(ctx context.Context, root, path, scratch string, attempts []trial.AttemptID) (corrected string, err error) {
	if len(attempts) == 0 || slices.Contains(attempts, "") {
		return "", nil
	}
	from, err := OpenReadOnly(ctx, path)
	if err != nil {
		return "", err
	}
	corrected = filepath.Join(scratch, "corrected.db")
	if err := errors.Join(from.Backup(ctx, corrected), from.Close()); err != nil {
		return "", err
	}
	d, err := Open(ctx, corrected)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	for _, id := range attempts {
		events, _ := trial.ReadFolder(id.Dir(root)) // what is good counts, and the rest is among the losses
		if err := d.forget(ctx, id, events); err != nil {
			return "", err
		}
	}
	left, err := d.takeMissing(ctx, root, filepath.Join(scratch, "corrected-again.db"))
	if err != nil || len(left) > 0 {
		return "", err
	}
	return corrected, d.keepRecords(ctx, root, true)
}

// forget removes what an attempt said as far as its log goes.
func (d *DB) forget(ctx context.Context, id trial.AttemptID, log []trial.Event) error {
	if len(log) == 0 {
		return nil
	}
	return d.write(ctx, func(tx *sql.Tx) error {
		attempt, err := attemptRow(ctx, tx, id)
		if errors.Is(err, sweep.ErrNotFound) {
			return nil // it could not be taken in
		}
		if err != nil {
			return err
		}
		for _, table := range attemptTables() {
			if _, err := tx.ExecContext(ctx, `DELETE FROM `+table+` WHERE attempt_id = ? AND seq <= ?`, attempt, log[len(log)-1].Seq); err != nil {
				return fmt.Errorf("forget what %s said: %s: %w", id, table, err)
			}
		}
		return nil
	})
}

// gone says which sweeps, attempts and outcomes a database that is to be replaced still shows and the new one lacks. What cannot be read
// of it any more is not among them.
func gone(ctx context.Context, path, rebuilt string) ([]Difference, error) {
	before := shown(ctx, path)
	if len(before) == 0 {
		return nil, nil
	}
	after := map[Difference]bool{}
	for _, diff := range shown(ctx, rebuilt) {
		after[diff] = true
	}
	return slices.DeleteFunc(before, func(diff Difference) bool { return after[diff] }), ctx.Err()
}

// shown lists what can be read of a database, which may be damaged.
func shown(ctx context.Context, path string) (all []Difference) {
	if !exists(path) {
		return nil
	}
	pool := openReader(path)
	defer pool.Close() //nolint:errcheck // read only
	for table, query := range map[string]string{
		"sweeps":   `SELECT 'sweep ' || name FROM sweeps`,
		"attempts": `SELECT trial_id || '/' || number FROM attempts`,
		"outcomes": `SELECT a.trial_id || '/' || a.number FROM attempts a JOIN outcomes o ON o.attempt_id = a.id`,
	} {
		list, err := pool.QueryContext(ctx, query)
		_ = each(list, err, func(r *sql.Rows) error { // up to where it is damaged
			diff := Difference{Side: SideDatabase, Rows: 1, Table: table}
			if err := r.Scan(&diff.About); err != nil {
				return err
			}
			all = append(all, diff)
			return nil
		})
	}
	slices.SortFunc(all, func(a, b Difference) int { return strings.Compare(a.About+a.Table, b.About+b.Table) })
	return all
}

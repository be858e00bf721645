package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

// Ask appends a person's request to a sweep. Whoever asks holds no lease: a request changes nothing that the coordinator has written. A
// cancellation is of the session that holds the lease; it fails with sweep.ErrNotFound where none does.
func (d *DB) Ask(ctx context.Context, sweepID int64, kind sweep.RequestKind, at time.Time) error {
	err := d.write(ctx, func(tx *sql.Tx) error {
		if err := mustExist(ctx, tx, "sweep", `SELECT 1 FROM sweeps WHERE id = ?`, sweepID); err != nil {
			return err
		}
		var session sql.Null[int64]
		if kind == sweep.RequestCancel {
			newest, err := newestSession(ctx, tx, sweepID)
			if err != nil {
				return err
			}
			if newest == nil || !newest.Ended.IsZero() {
				return fmt.Errorf("session: %w", sweep.ErrNotFound)
			}
			session = sql.Null[int64]{V: newest.ID, Valid: true}
		}
		_, err := tx.ExecContext(ctx, `INSERT INTO requests (sweep_id, kind, at_ns, session_id) VALUES (?, ?, ?, ?)`,
			sweepID, kind, unixNano(at), session)
		return err
	})
	if err != nil {
		return fmt.Errorf("ask sweep %d to %s: %w", sweepID, kind, err)
	}
	return nil
}

// Retry asks for fresh attempts of a sweep's trials: none counts any more up to these, the last that whoever asks knows of. One that begins
// meanwhile counts. It fails with sweep.ErrNotFound, and asks for nothing, where one of them was never begun.
func (d *DB) Retry(ctx context.Context, sweepID int64, last []trial.AttemptID, at time.Time) error {
	err := d.write(ctx, func(tx *sql.Tx) error {
		if err := mustExist(ctx, tx, "sweep", `SELECT 1 FROM sweeps WHERE id = ?`, sweepID); err != nil {
			return err
		}
		return appendRetries(ctx, tx, sweepID, last, at)
	})
	if err != nil {
		return fmt.Errorf("ask sweep %d to %s: %w", sweepID, sweep.RequestRetry, err)
	}
	return nil
}

func appendRetries(ctx context.Context, tx *sql.Tx, sweepID int64, last []trial.AttemptID, at time.Time) error {
	for _, id := range last {
		if _, err := attemptRow(ctx, tx, id); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `INSERT INTO requests (sweep_id, kind, at_ns, trial_id, number) VALUES (?, ?, ?, ?, ?)`,
			sweepID, sweep.RequestRetry, unixNano(at), id.Trial(), id.Number())
		if err != nil {
			return err
		}
	}
	return nil
}

// selectAsked are the columns of what was asked of sweeps s: see askedFields.
const selectAsked = `
	ifnull((SELECT kind = 'pause' FROM requests WHERE sweep_id = s.id AND kind IN ('pause', 'resume') ORDER BY id DESC LIMIT 1), 0),
	EXISTS (SELECT 1 FROM requests WHERE sweep_id = s.id AND kind = 'cancel'
		AND session_id = (SELECT max(id) FROM sessions WHERE sweep_id = s.id)),
	ifnull((SELECT iif(hash <> s.grid_hash, id, 0) FROM grids WHERE sweep_id = s.id ORDER BY id DESC LIMIT 1), 0),
	ifnull((SELECT max(id) FROM grids WHERE sweep_id = s.id), 0),
	ifnull((SELECT max(id) FROM requests WHERE sweep_id = s.id), 0)`

func askedFields(a *sweep.Asked) []any {
	return []any{&a.Paused, &a.Cancelled, &a.Grid, &a.Given, &a.Last}
}

// Asked reads what a person asked of a sweep. It fails with sweep.ErrNotFound.
func (d *DB) Asked(ctx context.Context, sweepID int64) (sweep.Asked, error) {
	var asked sweep.Asked
	err := d.read(ctx, func(tx *sql.Tx) error {
		err := tx.QueryRowContext(ctx, `SELECT `+selectAsked+` FROM sweeps s WHERE s.id = ?`, sweepID).Scan(askedFields(&asked)...)
		if errors.Is(err, sql.ErrNoRows) {
			return sweep.ErrNotFound
		}
		return err
	})
	if err != nil {
		return sweep.Asked{}, fmt.Errorf("requests to sweep %d: %w", sweepID, err)
	}
	return asked, nil
}

// readRetried returns the last attempts that people asked to retry, by trial.
func readRetried(ctx context.Context, tx *sql.Tx, sweepID int64) (map[trial.ID]int, error) {
	numbers := map[trial.ID]int{}
	rows, err := tx.QueryContext(ctx, `SELECT trial_id, max(number) FROM requests WHERE sweep_id = ? AND kind = 'retry' GROUP BY trial_id`,
		sweepID)
	err = each(rows, err, func(rows *sql.Rows) error {
		var id trial.ID
		var number int
		err := rows.Scan(&id, &number)
		numbers[id] = number
		return err
	})
	return numbers, err
}

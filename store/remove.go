package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/ranksweep/ranksweep/sweep/trial"
)

// OwnTrials returns the trials that the sweep holds and no other does.
func (d *DB) OwnTrials(ctx context.Context, sweepID int64) (own []trial.ID, err error) {
	err = d.read(ctx, func(tx *sql.Tx) (err error) {
		own, err = ownTrials(ctx, tx, sweepID)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("trials of sweep %d alone: %w", sweepID, err)
	}
	return own, nil
}

func ownTrials(ctx context.Context, tx *sql.Tx, sweepID int64) (own []trial.ID, err error) {
	places := `(SELECT ladder_id, trial_id FROM rung_trials UNION ALL SELECT ladder_id, trial_id FROM scout_trials
		UNION ALL SELECT ladder_id, trial_id FROM reference_trials)`
	rows, err := tx.QueryContext(ctx, `SELECT p.trial_id FROM `+places+` p JOIN ladders l ON l.id = p.ladder_id
		GROUP BY p.trial_id HAVING min(l.sweep_id) = ?1 AND max(l.sweep_id) = ?1 ORDER BY p.trial_id`, sweepID)
	err = each(rows, err, func(rows *sql.Rows) error {
		var id trial.ID
		err := rows.Scan(&id)
		own = append(own, id)
		return err
	})
	return own, err
}

// RemoveSweep takes a sweep out of the database, with the trials that no other sweep holds; the caller holds its lease, which ends. Those
// that others share stay as they are. drop is called with the trials that go, before that is certain: nobody can register or begin one
// meanwhile. Where it fails, all stays.
func (d *DB) RemoveSweep(ctx context.Context, id int64, drop func([]trial.ID) error) error {
	err := d.write(ctx, func(tx *sql.Tx) error {
		own, err := ownTrials(ctx, tx, id)
		if err != nil {
			return err
		}
		list, err := encodeList(own)
		if err != nil {
			return err
		}
		for _, statement := range removals() {
			if _, err := tx.ExecContext(ctx, statement, id, list); err != nil {
				return fmt.Errorf("%s: %w", statement, err)
			}
		}
		return drop(own)
	})
	if err != nil {
		return fmt.Errorf("remove sweep %d: %w", id, err)
	}
	return d.dropLease(id)
}

// removals delete a sweep (?1) and trials that it alone holds (?2, a JSON array), what refers to something before that.
func removals() []string {
	const (
		ladders  = `(SELECT id FROM ladders WHERE sweep_id = ?1)`
		attempts = `(SELECT id FROM attempts WHERE trial_id IN (SELECT value FROM json_each(?2)))`
	)
	var all []string
	for _, table := range []string{
		"ladder_verdicts", "ladder_settings", "ladder_candidates", "rung_trials", "scout_trials", "reference_trials",
	} {
		all = append(all, `DELETE FROM `+table+` WHERE ladder_id IN `+ladders+` AND ?2 = ?2`)
	}
	for _, table := range attemptTables() {
		all = append(all, `DELETE FROM `+table+` WHERE attempt_id IN `+attempts+` AND ?1 = ?1`)
	}
	all = append(
		all,
		`DELETE FROM requests WHERE sweep_id = ?1 AND ?2 = ?2`,
		`DELETE FROM attempts WHERE trial_id IN (SELECT value FROM json_each(?2)) AND ?1 = ?1`,
		`UPDATE attempts SET sweep_id = NULL WHERE sweep_id = ?1 AND ?2 = ?2`,
		`DELETE FROM trial_specs WHERE id IN (SELECT value FROM json_each(?2)) AND ?1 = ?1`,
	)
	for _, table := range []string{"ladders", "registrations", "confirmations", "notices", "grids", "sessions"} {
		all = append(all, `DELETE FROM `+table+` WHERE sweep_id = ?1 AND ?2 = ?2`)
	}
	return append(all, `DELETE FROM sweeps WHERE id = ?1 AND ?2 = ?2`)
}

var errNameTaken = errors.New("there is a sweep of that name already")

// Rename gives a sweep another name, and its grid's text with it; the caller holds its lease. It fails where the name is taken.
func (d *DB) Rename(ctx context.Context, sweepID int64, name string, g GivenGrid) error {
	err := d.write(ctx, func(tx *sql.Tx) error {
		if err := mustExist(ctx, tx, "sweep", `SELECT 1 FROM sweeps WHERE id = ?`, sweepID); err != nil {
			return err
		}
		var taken bool
		if err := tx.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM sweeps WHERE name = ?)`, name).Scan(&taken); err != nil {
			return err
		}
		if taken {
			return errNameTaken
		}
		if err := appendGrid(ctx, tx, sweepID, g); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `UPDATE sweeps SET name = ?, grid_text = ?, grid_hash = ?, grid_path = ? WHERE id = ?`,
			name, g.Text, g.Hash, g.Path, sweepID)
		return err
	})
	if errors.Is(err, errNameTaken) {
		return fmt.Errorf("rename to %s: %w", name, errNameTaken)
	}
	if err != nil {
		return fmt.Errorf("rename sweep %d: %w", sweepID, err)
	}
	return nil
}

// attemptTables are the tables of what attempts said, each before what it refers to.
func attemptTables() []string {
	return []string{
		"outcomes", "environments", "predictions", "points", "evaluations", "memory_peaks", "screened_losses", "module_updates", "events",
	}
}

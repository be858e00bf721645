package store

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/ranksweep/ranksweep/sweep/trial"
)

// Updates returns what the best adapters of a sweep's trials add to their modules, in the order of the modules' names. Trials that have not
// ended, and those of earlier versions, have none.
func (d *DB) Updates(ctx context.Context, sweepID int64) (map[trial.ID][]trial.ModuleUpdate, error) {
	updates := map[trial.ID][]trial.ModuleUpdate{}
	err := d.read(ctx, func(tx *sql.Tx) error {
		rows, err := tx.QueryContext(ctx, `SELECT trial_id, module, norm, stable_rank FROM updates
			WHERE trial_id IN (SELECT lt.trial_id FROM ladders l JOIN rung_trials lt ON lt.ladder_id = l.id WHERE l.sweep_id = ?)
			ORDER BY trial_id, module`, sweepID)
		return each(rows, err, func(rows *sql.Rows) error {
			var id trial.ID
			var u trial.ModuleUpdate
			if err := rows.Scan(&id, &u.Module, &u.Norm, &u.StableRank); err != nil {
				return err
			}
			updates[id] = append(updates[id], u)
			return nil
		})
	})
	if err != nil {
		return nil, fmt.Errorf("read the updates of trials: %w", err)
	}
	return updates, nil
}

package store

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/plateau"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

// FinishedLadders returns the ladders of finished sweeps that trained this model on these data with these settings, the
// newest sweep first. A sweep of one seed takes its noise_sd from them. A sweep is finished when every ladder has a verdict.
func (d *DB) FinishedLadders(ctx context.Context, base, data string, train trial.TrainSpec) ([]sweep.FinishedLadder, error) {
	var finished []sweep.FinishedLadder
	err := d.read(ctx, func(tx *sql.Tx) error {
		ids, err := finishedSweeps(ctx, tx, base, data)
		if err != nil {
			return err
		}
		for _, id := range ids {
			ladders, err := finishedLadders(ctx, tx, id, base, data, train)
			if err != nil {
				return err
			}
			finished = append(finished, ladders...)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read the losses of finished sweeps: %w", err)
	}
	return finished, nil
}

// finishedSweeps lists the sweeps with trials on these inputs all of whose ladders have a verdict.
func finishedSweeps(ctx context.Context, tx *sql.Tx, base, data string) ([]int64, error) {
	var ids []int64
	rows, err := tx.QueryContext(ctx, `SELECT s.id FROM sweeps s
		WHERE EXISTS (SELECT 1 FROM ladders l JOIN rung_trials lt ON lt.ladder_id = l.id JOIN trial_specs t ON t.id = lt.trial_id
				WHERE l.sweep_id = s.id AND t.base = ? AND t.data = ?)
			AND NOT EXISTS (SELECT 1 FROM ladders l
				LEFT JOIN ladder_verdicts v ON v.id = (SELECT max(id) FROM ladder_verdicts WHERE ladder_id = l.id)
				WHERE l.sweep_id = s.id AND ifnull(v.verdict ->> '$.state', ?) = ?)
		ORDER BY s.created_ns DESC, s.id DESC`, base, data, plateau.StateRunning, plateau.StateRunning)
	err = each(rows, err, func(rows *sql.Rows) error {
		var id int64
		err := rows.Scan(&id)
		ids = append(ids, id)
		return err
	})
	return ids, err
}

func finishedLadders(ctx context.Context, tx *sql.Tx, id int64, base, data string, train trial.TrainSpec) ([]sweep.FinishedLadder, error) {
	info, err := scanInfo(tx.QueryRowContext(ctx, selectInfo+` WHERE s.id = ?`, id))
	if err != nil {
		return nil, err
	}
	ladders, err := selectLadders(ctx, tx, info)
	if err != nil {
		return nil, err
	}
	if err := readLadderFacts(ctx, tx, ladders, wholeSweep(id)); err != nil {
		return nil, err
	}
	var finished []sweep.FinishedLadder
	for _, l := range ladders {
		f := sweep.FinishedLadder{Sweep: info.Name}
		for _, r := range l.Rungs {
			t := r.ChosenRung().Trials[0].Trial.Shared
			if t.Base != base || t.Data != data || t.Spec.Train != train {
				continue
			}
			if losses := r.Losses(); losses.Complete {
				f.Rungs = append(f.Rungs, losses)
			}
		}
		if len(f.Rungs) > 0 {
			finished = append(finished, f)
		}
	}
	return finished, nil
}

// FinishedTrials returns the ids of all trials that have a loss, whichever sweep trained them.
func (d *DB) FinishedTrials(ctx context.Context) (map[trial.ID]bool, error) {
	finished := map[trial.ID]bool{}
	err := d.read(ctx, func(tx *sql.Tx) error {
		rows, err := tx.QueryContext(ctx, `SELECT DISTINCT a.trial_id FROM attempts a
			JOIN outcomes o ON o.attempt_id = a.id WHERE o.state = 'done'`)
		return each(rows, err, func(rows *sql.Rows) error {
			var id trial.ID
			err := rows.Scan(&id)
			finished[id] = true
			return err
		})
	})
	return finished, err
}

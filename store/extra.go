package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

// AddTrials writes trials of extra seeds to a ladder, and scouts, all or none. The same again changes nothing. It fails where the ladder
// has no such rung or candidate, the seed is one of the grid's, or another trial stands at that place.
func (d *DB) AddTrials(ctx context.Context, ladder int64, trials []sweep.ExtraTrial) error {
	err := d.write(ctx, func(tx *sql.Tx) error {
		var text string
		err := tx.QueryRowContext(ctx, `SELECT s.seeds FROM ladders l JOIN sweeps s ON s.id = l.sweep_id WHERE l.id = ?`, ladder).Scan(&text)
		if errors.Is(err, sql.ErrNoRows) {
			return sweep.ErrNotFound
		}
		if err != nil {
			return err
		}
		seeds, err := decodeList[int64]("seeds", text)
		if err != nil {
			return err
		}
		for _, t := range trials {
			if t.Trial.Spec().Shrink == nil && slices.Contains(seeds, t.Trial.Seed) {
				return fmt.Errorf("trial %s: seed %d is one of the grid's", t.Trial.ID, t.Trial.Seed)
			}
			if err := addTrial(ctx, tx, ladder, t); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("add trials to ladder %d: %w", ladder, err)
	}
	return nil
}

func addTrial(ctx context.Context, tx *sql.Tx, ladder int64, t sweep.ExtraTrial) error {
	var there trial.ID
	err := tx.QueryRowContext(ctx, `SELECT trial_id FROM rung_trials WHERE ladder_id = ? AND rank = ? AND candidate = ? AND seed = ?`,
		ladder, t.Rank, t.Candidate, t.Trial.Seed).Scan(&there)
	if t.Trial.Spec().Shrink != nil {
		err = tx.QueryRowContext(ctx, `SELECT trial_id FROM scout_trials WHERE ladder_id = ? AND rank = ? AND candidate = ?`,
			ladder, t.Rank, t.Candidate).Scan(&there)
	}
	switch {
	case err == nil && there == t.Trial.ID:
		return nil
	case err == nil:
		return fmt.Errorf("rank %d: seed %d is trial %s, not %s", t.Rank, t.Trial.Seed, there, t.Trial.ID)
	case !errors.Is(err, sql.ErrNoRows):
		return err
	}
	var rung bool
	err = tx.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM rung_trials WHERE ladder_id = ? AND rank = ? AND candidate = ?)`,
		ladder, t.Rank, t.Candidate).Scan(&rung)
	if err != nil {
		return err
	}
	if !rung || t.Trial.Rank != t.Rank {
		return fmt.Errorf("trial %s: the ladder has no candidate %d of rank %d, or the trial another rank", t.Trial.ID, t.Candidate, t.Rank)
	}
	if err := upsertTrial(ctx, tx, t.Trial); err != nil {
		return err
	}
	if t.Trial.Spec().Shrink != nil {
		_, err = tx.ExecContext(ctx, `INSERT INTO scout_trials (ladder_id, rank, candidate, trial_id) VALUES (?, ?, ?, ?)`,
			ladder, t.Rank, t.Candidate, t.Trial.ID)
		return err
	}
	return placeTrial(ctx, tx, trialPlace{ladder, t.Rank, &t.PlannedTrial})
}

// Confirm writes the wish that a sweep's likely plateaus be certified, with at most maxSeeds seeds per rank. The same again
// changes nothing; of several wishes the largest counts.
func (d *DB) Confirm(ctx context.Context, sweepID int64, maxSeeds int, at time.Time) error {
	err := d.write(ctx, func(tx *sql.Tx) error {
		if err := mustExist(ctx, tx, "sweep", `SELECT 1 FROM sweeps WHERE id = ?`, sweepID); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `INSERT INTO confirmations (sweep_id, max_seeds, at_ns) VALUES (?, ?, ?)
			ON CONFLICT (sweep_id, max_seeds) DO NOTHING`, sweepID, maxSeeds, unixNano(at))
		return err
	})
	if err != nil {
		return fmt.Errorf("confirm sweep %d with %d seeds: %w", sweepID, maxSeeds, err)
	}
	return nil
}

package store

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"slices"
	"time"

	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/plateau"
)

// GivenGrid is a grid file that a person gave under a sweep's name.
type GivenGrid struct {
	ID               int64
	At               time.Time
	Text, Hash, Path string
}

// AskGrid appends a grid that extends a sweep. Its coordinator registers it: see Extend.
func (d *DB) AskGrid(ctx context.Context, sweepID int64, g GivenGrid) error {
	err := d.write(ctx, func(tx *sql.Tx) error {
		if err := mustExist(ctx, tx, "sweep", `SELECT 1 FROM sweeps WHERE id = ?`, sweepID); err != nil {
			return err
		}
		var has bool
		err := tx.QueryRowContext(ctx, `SELECT s.grid_hash = ? AND s.grid_hash = ifnull((SELECT hash FROM grids WHERE sweep_id = s.id
			ORDER BY id DESC LIMIT 1), s.grid_hash) FROM sweeps s WHERE s.id = ?`, g.Hash, sweepID).Scan(&has)
		if err != nil || has {
			return err
		}
		return appendGrid(ctx, tx, sweepID, g)
	})
	if err != nil {
		return fmt.Errorf("give sweep %d a grid: %w", sweepID, err)
	}
	return nil
}

// appendGrid keeps a grid, after the first one where that is not kept yet.
func appendGrid(ctx context.Context, tx *sql.Tx, sweepID int64, g GivenGrid) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO grids (sweep_id, at_ns, text, hash, path)
		SELECT id, created_ns, grid_text, grid_hash, grid_path FROM sweeps
		WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM grids WHERE sweep_id = ?1)`, sweepID)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO grids (sweep_id, at_ns, text, hash, path) VALUES (?, ?, ?, ?, ?)`,
		sweepID, unixNano(g.At), g.Text, g.Hash, g.Path)
	return err
}

// Grids returns the grids that were given under a sweep's name, the oldest first; none where there was only one.
func (d *DB) Grids(ctx context.Context, sweepID int64) (grids []GivenGrid, err error) {
	err = d.read(ctx, func(tx *sql.Tx) error {
		rows, err := tx.QueryContext(ctx, `SELECT id, at_ns, text, hash, path FROM grids WHERE sweep_id = ? ORDER BY id`, sweepID)
		return each(rows, err, func(rows *sql.Rows) error {
			var g GivenGrid
			var at int64
			err := rows.Scan(&g.ID, &at, &g.Text, &g.Hash, &g.Path)
			g.At = timeOf(at)
			grids = append(grids, g)
			return err
		})
	})
	if err != nil {
		return nil, fmt.Errorf("grids of sweep %d: %w", sweepID, err)
	}
	return grids, nil
}

// Extend makes a grid the sweep's: info has its text and settings, x its ladders, all or nothing. The snapshot is the one that x was
// fitted to. Ladders keep their rows, and with them their verdicts; extra seeds and scouts stay, those among them that the grid names now
// as its own. Trials that a limit ended which the grid raises are to be tried again.
func (d *DB) Extend(ctx context.Context, s sweep.Snapshot, info sweep.Info, x sweep.Extension) error {
	err := d.write(ctx, func(tx *sql.Tx) error {
		if err := updateSettings(ctx, tx, s.Sweep.ID, info); err != nil || len(s.Ladders) == 0 {
			return err
		}
		if err := checkPlan(x.Registration, info.Seeds); err != nil {
			return err
		}
		warnings, err := encodeList(x.Warnings)
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `UPDATE registrations SET platform = ?, plugin_path = ?, noise_sd = ?, noise_source = ?, warnings = ?
			WHERE sweep_id = ?`, x.Platform, x.PluginPath, x.NoiseSD, x.NoiseSource, warnings, s.Sweep.ID)
		if err != nil {
			return err
		}
		// Positions are unique: out of the way first.
		_, err = tx.ExecContext(ctx, `UPDATE ladders SET position = position + ? WHERE sweep_id = ?`, len(x.Ladders), s.Sweep.ID)
		if err != nil {
			return err
		}
		var places []trialPlace
		for i := range x.Ladders {
			id, err := extendLadder(ctx, tx, s, x, info.Seeds, i)
			if err != nil {
				return fmt.Errorf("ladder %d: %w", i, err)
			}
			places = append(places, placesOf(id, &x.Ladders[i])...)
		}
		if err := insertTrials(ctx, tx, places); err != nil {
			return err
		}
		return appendRetries(ctx, tx, s.Sweep.ID, s.Freed(info.Limits), time.Now())
	})
	if err != nil {
		return fmt.Errorf("extend sweep %d: %w", s.Sweep.ID, err)
	}
	return nil
}

func updateSettings(ctx context.Context, tx *sql.Tx, id int64, s sweep.Info) error {
	seeds, err := encodeList(s.Seeds)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `UPDATE sweeps SET grid_text = ?, grid_hash = ?, grid_path = ?, seeds = ?, seeds_per_rank = ?, strategy = ?,
			race = ?, min_gain = ?, min_gain_relative = ?, patience = ?, confidence = ?, stop = ?, max_seeds = ?, maximize = ?, noise_sd = ?,
			noise_source = ?, memory_limit = ?, time_limit_ns = ?, trial_time_ns = ?, tokens_limit = ?, disk_limit = ?
		WHERE id = ?`,
		s.GridText, s.GridHash, s.GridPath, seeds, cmp.Or(s.Rule.SeedsPerRank, plateau.EverySeed), cmp.Or(s.Strategy, sweep.StrategyLadder),
		s.Race, s.Rule.MinGain.Value, s.Rule.MinGain.Relative, s.Rule.Patience, s.Rule.Confidence, s.Rule.Stop, s.Rule.MaxSeeds,
		s.Rule.Maximize, s.Rule.NoiseSD, s.Rule.NoiseSource, s.Limits.Memory, s.Limits.Time, s.Limits.TrialTime,
		s.Limits.Tokens, s.Limits.Disk, id)
	return err
}

// extendLadder brings the ladder at a position to its plan, but for the trials of the grid, whose seeds are given: those it leaves out.
func extendLadder(ctx context.Context, tx *sql.Tx, s sweep.Snapshot, x sweep.Extension, seeds []int64, position int) (int64, error) {
	plan := x.Ladders[position]
	if x.From[position] < 0 {
		return insertLadder(ctx, tx, s.Sweep.ID, position, plan)
	}
	stored := s.Ladders[x.From[position]]
	if _, err := tx.ExecContext(ctx, `UPDATE ladders SET position = ? WHERE id = ?`, position, stored.ID); err != nil {
		return 0, err
	}
	for _, table := range []string{"ladder_settings", "ladder_candidates", "rung_trials", "scout_trials", "reference_trials"} {
		if _, err := tx.ExecContext(ctx, `DELETE FROM `+table+` WHERE ladder_id = ?`, stored.ID); err != nil {
			return 0, err
		}
	}
	if err := moveLadder(ctx, tx, stored.ID, plan); err != nil {
		return 0, err
	}
	if err := insertSettings(ctx, tx, stored.ID, plan); err != nil {
		return 0, err
	}
	became := x.Candidates[position]
	for _, r := range stored.Rungs {
		for _, t := range r.Trials {
			if !t.Extra || slices.Contains(seeds, t.Trial.Seed) {
				continue
			}
			_, err := tx.ExecContext(ctx, `INSERT INTO rung_trials (ladder_id, rank, candidate, seed, trial_id) VALUES (?, ?, ?, ?, ?)`,
				stored.ID, r.Rank, became[t.Candidate], t.Trial.Seed, t.Trial.ID)
			if err != nil {
				return 0, err
			}
		}
	}
	for _, t := range stored.Scouts {
		_, err := tx.ExecContext(ctx, `INSERT INTO scout_trials (ladder_id, rank, candidate, trial_id) VALUES (?, ?, ?, ?)`,
			stored.ID, t.Trial.Rank, became[t.Candidate], t.Trial.ID)
		if err != nil {
			return 0, err
		}
	}
	return stored.ID, nil
}

package store

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/plateau"
)

// CreateSweep writes a sweep's own row, before its inputs are read, and returns its id. The name must be new.
// ID, Backend, Platform, PluginPath, Elapsed and Warnings of s are facts of later and not written.
func (d *DB) CreateSweep(ctx context.Context, s sweep.Info) (int64, error) {
	seeds, err := encodeList(s.Seeds)
	if err != nil {
		return 0, err
	}
	var id int64
	err = d.write(ctx, func(tx *sql.Tx) error {
		var taken bool
		if err := tx.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM sweeps WHERE name = ?)`, s.Name).Scan(&taken); err != nil {
			return err
		}
		if taken {
			return errors.New("there is a sweep of that name already")
		}
		res, err := tx.ExecContext(ctx, `
			INSERT INTO sweeps (name, created_ns, grid_text, grid_hash, grid_path, seeds, seeds_per_rank, strategy, race, min_gain,
				min_gain_relative, patience, confidence, stop, max_seeds, maximize, noise_sd, noise_source, memory_limit, time_limit_ns, trial_time_ns,
				tokens_limit, disk_limit)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
			s.Name, unixNano(s.Created), s.GridText, s.GridHash, s.GridPath, seeds,
			cmp.Or(s.Rule.SeedsPerRank, plateau.EverySeed), cmp.Or(s.Strategy, sweep.StrategyLadder), s.Race,
			s.Rule.MinGain.Value, s.Rule.MinGain.Relative,
			s.Rule.Patience, s.Rule.Confidence, s.Rule.Stop, s.Rule.MaxSeeds, s.Rule.Maximize, s.Rule.NoiseSD, s.Rule.NoiseSource,
			s.Limits.Memory, s.Limits.Time, s.Limits.TrialTime, s.Limits.Tokens, s.Limits.Disk)
		if err != nil {
			return err
		}
		id, err = res.LastInsertId()
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("create sweep %q: %w", s.Name, err)
	}
	return id, nil
}

// RemoveUnregistered takes back a sweep whose inputs turned out to be invalid. A registered sweep stays as it is.
func (d *DB) RemoveUnregistered(ctx context.Context, id int64) error {
	err := d.write(ctx, func(tx *sql.Tx) error {
		var registered bool
		row := tx.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM registrations WHERE sweep_id = ?)`, id)
		if err := row.Scan(&registered); err != nil || registered {
			return err
		}
		for _, facts := range []string{"requests", "sessions", "confirmations"} {
			if _, err := tx.ExecContext(ctx, `DELETE FROM `+facts+` WHERE sweep_id = ?`, id); err != nil {
				return err
			}
		}
		_, err := tx.ExecContext(ctx, `DELETE FROM sweeps WHERE id = ?`, id)
		return err
	})
	if err != nil {
		return fmt.Errorf("remove sweep %d: %w", id, err)
	}
	return d.dropLease(id)
}

// selectInfo reads sweeps with what was registered and how long their coordinators worked.
const selectInfo = `
	SELECT s.id, s.name, s.grid_text, s.grid_hash, s.grid_path, s.created_ns, s.seeds, s.seeds_per_rank, s.strategy, s.race,
		s.min_gain, s.min_gain_relative,
		s.patience, s.confidence, s.stop, s.max_seeds, s.maximize, ifnull(r.noise_sd, s.noise_sd), ifnull(r.noise_source, s.noise_source),
		s.memory_limit, s.time_limit_ns, s.trial_time_ns, s.tokens_limit, s.disk_limit, ifnull(r.backend, ''), ifnull(r.platform, ''),
		ifnull(r.plugin_path, ''), ifnull(r.warnings, '[]'),
		(SELECT ifnull(sum(elapsed_ns), 0) FROM sessions WHERE sweep_id = s.id),
		(SELECT ifnull(max(max_seeds), 0) FROM confirmations WHERE sweep_id = s.id),` + selectAsked + `
	FROM sweeps s LEFT JOIN registrations r ON r.sweep_id = s.id`

// scanInfo reads one row of selectInfo, followed by more columns where the query has them.
func scanInfo(row interface{ Scan(dest ...any) error }, more ...any) (sweep.Info, error) {
	var s sweep.Info
	var created int64
	var confirm int
	var seeds, warnings string
	err := row.Scan(slices.Concat([]any{
		&s.ID, &s.Name, &s.GridText, &s.GridHash, &s.GridPath, &created, &seeds, &s.Rule.SeedsPerRank, &s.Strategy, &s.Race,
		&s.Rule.MinGain.Value,
		&s.Rule.MinGain.Relative, &s.Rule.Patience, &s.Rule.Confidence, &s.Rule.Stop, &s.Rule.MaxSeeds, &s.Rule.Maximize, &s.Rule.NoiseSD,
		&s.Rule.NoiseSource, &s.Limits.Memory, &s.Limits.Time, &s.Limits.TrialTime, &s.Limits.Tokens, &s.Limits.Disk,
		&s.Backend, &s.Platform, &s.PluginPath, &warnings, &s.Elapsed, &confirm,
	}, askedFields(&s.Asked), more)...)
	if err != nil {
		return sweep.Info{}, err
	}
	s.Created = timeOf(created)
	if s.Seeds, err = decodeList[int64]("seeds", seeds); err != nil {
		return sweep.Info{}, err
	}
	if s.Warnings, err = decodeList[string]("warnings", warnings); err != nil {
		return sweep.Info{}, err
	}
	if confirm > 0 {
		s.Confirm(confirm)
	}
	return s, nil
}

// Find returns the sweep of that name; the empty name means the latest. It fails with sweep.ErrNotFound and says what
// there is.
func (d *DB) Find(ctx context.Context, name string) (sweep.Info, error) {
	if name == "" {
		return d.Latest(ctx)
	}
	var info sweep.Info
	err := d.read(ctx, func(tx *sql.Tx) (err error) {
		info, err = scanInfo(tx.QueryRowContext(ctx, selectInfo+` WHERE s.name = ?`, name))
		if errors.Is(err, sql.ErrNoRows) {
			return d.noSweep(ctx, tx)
		}
		return err
	})
	if err != nil {
		return sweep.Info{}, fmt.Errorf("sweep %q: %w", name, err)
	}
	return info, nil
}

// Latest returns the sweep that was created last, or sweep.ErrNotFound.
func (d *DB) Latest(ctx context.Context) (sweep.Info, error) {
	var info sweep.Info
	err := d.read(ctx, func(tx *sql.Tx) (err error) {
		info, err = scanInfo(tx.QueryRowContext(ctx, selectInfo+` ORDER BY s.created_ns DESC, s.id DESC LIMIT 1`))
		if errors.Is(err, sql.ErrNoRows) {
			return d.noSweep(ctx, tx)
		}
		return err
	})
	if err != nil {
		return sweep.Info{}, fmt.Errorf("latest sweep: %w", err)
	}
	return info, nil
}

// Names returns the names of all sweeps, the oldest first.
func (d *DB) Names(ctx context.Context) (names []string, err error) {
	err = d.read(ctx, func(tx *sql.Tx) (err error) {
		names, err = selectNames(ctx, tx)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list sweeps: %w", err)
	}
	return names, nil
}

func selectNames(ctx context.Context, tx *sql.Tx) (names []string, err error) {
	rows, err := tx.QueryContext(ctx, `SELECT name FROM sweeps ORDER BY id`)
	err = each(rows, err, func(rows *sql.Rows) error {
		var name string
		err := rows.Scan(&name)
		names = append(names, name)
		return err
	})
	return names, err
}

// noSweep returns an ErrNotFound that names the sweeps there are.
// noSweep returns an ErrNotFound that names the sweeps there are.
func (d *DB) noSweep(ctx context.Context, tx *sql.Tx) error {
	names, err := selectNames(ctx, tx)
	if err != nil {
		return err
	}
	if len(names) == 0 {
		return fmt.Errorf("%w: %s holds no sweep yet", sweep.ErrNotFound, d.path)
	}
	return fmt.Errorf("%w: %s holds %s", sweep.ErrNotFound, d.path, strings.Join(names, ", "))
}

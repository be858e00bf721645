package store

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"

	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

// Snapshot reads a sweep's facts at one moment. Points are not part of it, so it stays small: see Points.
func (d *DB) Snapshot(ctx context.Context, sweepID int64) (sweep.Snapshot, error) {
	var s sweep.Snapshot
	err := d.read(ctx, func(tx *sql.Tx) (err error) {
		s.Sweep, err = scanInfo(tx.QueryRowContext(ctx, selectInfo+` WHERE s.id = ?`, sweepID))
		if errors.Is(err, sql.ErrNoRows) {
			return sweep.ErrNotFound
		}
		if err != nil {
			return err
		}
		if s.Ladders, err = selectLadders(ctx, tx, s.Sweep); err != nil {
			return err
		}
		facts, err := selectFacts(ctx, tx, sweepTrials, sweepID)
		if err != nil {
			return err
		}
		fillFacts(s.Ladders, facts)
		s.Reopen()
		return nil
	})
	if err != nil {
		return sweep.Snapshot{}, fmt.Errorf("snapshot of sweep %d: %w", sweepID, err)
	}
	return s, nil
}

// sweepTrials yields the ids of a sweep's trials.
const sweepTrials = `SELECT lt.trial_id FROM rung_trials lt JOIN ladders l ON l.id = lt.ladder_id WHERE l.sweep_id = ?`

// fillFacts adds to every trial what is known about it.
func fillFacts(ladders []sweep.Ladder, facts map[trial.ID]*sweep.TrialFacts) {
	for _, l := range ladders {
		for _, r := range l.Rungs {
			for i := range r.Trials {
				if f := facts[r.Trials[i].Trial.ID]; f != nil {
					known := *f
					known.Trial, known.Candidate, known.Extra = r.Trials[i].Trial, r.Trials[i].Candidate, r.Trials[i].Extra
					r.Trials[i] = known
				}
			}
		}
	}
}

// selectLadders reads a sweep's ladders in grid order, their trials by rank and seed, without facts about them.
func selectLadders(ctx context.Context, tx *sql.Tx, info sweep.Info) ([]sweep.Ladder, error) {
	var ladders []sweep.Ladder
	rows, err := tx.QueryContext(ctx, `SELECT id, position, model, corpus FROM ladders WHERE sweep_id = ? ORDER BY position`, info.ID)
	err = each(rows, err, func(rows *sql.Rows) error {
		var l sweep.Ladder
		var model, corpus string
		if err := rows.Scan(&l.ID, &l.Index, &model, &corpus); err != nil {
			return err
		}
		if err := decode("model", model, &l.Model); err != nil {
			return err
		}
		if err := decode("corpus", corpus, &l.Corpus); err != nil {
			return err
		}
		ladders = append(ladders, l)
		return nil
	})
	if err != nil {
		return nil, err
	}
	for i := range ladders {
		if ladders[i].Cell, err = selectCell(ctx, tx, ladders[i].ID); err != nil {
			return nil, err
		}
		if ladders[i].Candidates, err = selectCandidates(ctx, tx, ladders[i].ID); err != nil {
			return nil, err
		}
		if ladders[i].Rungs, err = selectRungs(ctx, tx, ladders[i].ID, info.Seeds); err != nil {
			return nil, err
		}
	}
	return ladders, nil
}

func selectCell(ctx context.Context, tx *sql.Tx, ladderID int64) (sweep.Cell, error) {
	var cell sweep.Cell
	rows, err := tx.QueryContext(ctx, `SELECT name, value, axis FROM ladder_settings WHERE ladder_id = ? ORDER BY position`, ladderID)
	err = each(rows, err, func(rows *sql.Rows) error {
		var s sweep.Setting
		err := rows.Scan(&s.Name, &s.Value, &s.Axis)
		cell = append(cell, s)
		return err
	})
	return cell, err
}

func selectCandidates(ctx context.Context, tx *sql.Tx, ladderID int64) ([]sweep.Cell, error) {
	var candidates []sweep.Cell
	rows, err := tx.QueryContext(ctx, `SELECT candidate, name, value FROM ladder_candidates WHERE ladder_id = ? ORDER BY candidate, position`, ladderID)
	err = each(rows, err, func(rows *sql.Rows) error {
		var c int
		s := sweep.Setting{Axis: true}
		if err := rows.Scan(&c, &s.Name, &s.Value); err != nil {
			return err
		}
		if c >= len(candidates) {
			candidates = append(candidates, nil)
		}
		last := len(candidates) - 1
		candidates[last] = append(candidates[last], s)
		return nil
	})
	return candidates, err
}

// selectRungs reads the trials of a ladder, ranks ascending, candidates in their order, seeds in the sweep's order and then
// extra ones, ascending.
func selectRungs(ctx context.Context, tx *sql.Tx, ladderID int64, seeds []int64) ([]sweep.Rung, error) {
	var rungs []sweep.Rung
	rows, err := tx.QueryContext(ctx, `SELECT lt.rank, lt.candidate, `+trialColumns+` FROM rung_trials lt JOIN trial_specs t ON t.id = lt.trial_id
		WHERE lt.ladder_id = ? ORDER BY lt.rank, lt.candidate, lt.seed`, ladderID)
	err = each(rows, err, func(rows *sql.Rows) error {
		var rank int
		var f sweep.TrialFacts
		var err error
		if f.Trial, err = scanTrial(rows, &rank, &f.Candidate); err != nil {
			return err
		}
		f.Extra = !slices.Contains(seeds, f.Trial.Spec.Seed)
		if len(rungs) == 0 || rungs[len(rungs)-1].Rank != rank {
			rungs = append(rungs, sweep.Rung{Rank: rank})
		}
		last := &rungs[len(rungs)-1]
		last.Trials = append(last.Trials, f)
		return nil
	})
	for _, r := range rungs {
		slices.SortStableFunc(r.Trials, func(a, b sweep.TrialFacts) int {
			return cmp.Or(cmp.Compare(a.Candidate, b.Candidate), cmp.Compare(place(seeds, a), place(seeds, b)))
		})
	}
	return rungs, err
}

// place orders the seeds of a candidate: the grid's as they were given, extra ones last.
func place(seeds []int64, t sweep.TrialFacts) int {
	if t.Extra {
		return len(seeds)
	}
	return slices.Index(seeds, t.Trial.Spec.Seed)
}

const trialColumns = `t.id, t.spec, t.base, t.data, t.backend`

// scanTrial reads trialColumns, after other columns where the query has them.
func scanTrial(row interface{ Scan(dest ...any) error }, before ...any) (trial.Trial, error) {
	var t trial.Trial
	var spec string
	if err := row.Scan(append(before, &t.ID, &spec, &t.Base, &t.Data, &t.Backend)...); err != nil {
		return trial.Trial{}, err
	}
	if err := decode("spec", spec, &t.Spec); err != nil {
		return trial.Trial{}, fmt.Errorf("trial %s: %w", t.ID, err)
	}
	return t, nil
}

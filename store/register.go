package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"

	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

// Register writes a sweep's ladders and trials, all or nothing. Registering the same trials again changes nothing but
// the places of their inputs, which may have moved since; registering other ones is an error.
func (d *DB) Register(ctx context.Context, sweepID int64, r sweep.Registration) error {
	err := d.write(ctx, func(tx *sql.Tx) error {
		info, err := scanInfo(tx.QueryRowContext(ctx, selectInfo+` WHERE s.id = ?`, sweepID))
		if errors.Is(err, sql.ErrNoRows) {
			return sweep.ErrNotFound
		}
		if err != nil {
			return err
		}
		if err := checkPlan(r, info.Seeds); err != nil {
			return err
		}
		if info.Backend != "" {
			return registerAgain(ctx, tx, info, r)
		}
		return registerNew(ctx, tx, sweepID, r)
	})
	if err != nil {
		return fmt.Errorf("register sweep %d: %w", sweepID, err)
	}
	return nil
}

// checkPlan verifies that every trial stands at its own rank and seed.
func checkPlan(r sweep.Registration, seeds []int64) error {
	if r.Backend == "" {
		return errors.New("the registration names no backend")
	}
	for i, l := range r.Ladders {
		if len(l.Trials) != len(l.Ranks) {
			return fmt.Errorf("ladder %d has %d ranks and trials for %d", i, len(l.Ranks), len(l.Trials))
		}
		candidates := max(1, len(l.Candidates))
		for j, rank := range l.Ranks {
			if len(l.Trials[j]) != candidates*len(seeds) {
				return fmt.Errorf("ladder %d, rank %d: %d trials for %d candidates and %d seeds", i, rank, len(l.Trials[j]), candidates, len(seeds))
			}
			for k, t := range l.Trials[j] {
				if seed := seeds[k%len(seeds)]; t.Spec.LoRA.Rank != rank || t.Spec.Seed != seed {
					return fmt.Errorf("ladder %d, rank %d, seed %d: trial %s has rank %d and seed %d",
						i, rank, seed, t.ID, t.Spec.LoRA.Rank, t.Spec.Seed)
				}
			}
		}
	}
	return nil
}

func registerNew(ctx context.Context, tx *sql.Tx, sweepID int64, r sweep.Registration) error {
	warnings, err := encodeList(r.Warnings)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO registrations
		(sweep_id, backend, platform, plugin_path, noise_sd, noise_source, warnings) VALUES (?, ?, ?, ?, ?, ?, ?)`,
		sweepID, r.Backend, r.Platform, r.PluginPath, r.NoiseSD, r.NoiseSource, warnings)
	if err != nil {
		return err
	}
	for i, l := range r.Ladders {
		if err := insertLadder(ctx, tx, sweepID, i, l); err != nil {
			return fmt.Errorf("ladder %d: %w", i, err)
		}
	}
	return nil
}

func insertLadder(ctx context.Context, tx *sql.Tx, sweepID int64, position int, l sweep.LadderPlan) error {
	model, corpus, err := encodeInputs(l)
	if err != nil {
		return err
	}
	res, err := tx.ExecContext(ctx, `INSERT INTO ladders (sweep_id, position, model, corpus) VALUES (?, ?, ?, ?)`,
		sweepID, position, model, corpus)
	if err != nil {
		return err
	}
	id, err := res.LastInsertId()
	if err != nil {
		return err
	}
	for i, s := range l.Cell {
		_, err := tx.ExecContext(ctx, `INSERT INTO ladder_settings (ladder_id, position, name, value, axis) VALUES (?, ?, ?, ?, ?)`,
			id, i, s.Name, s.Value, s.Axis)
		if err != nil {
			return fmt.Errorf("setting %s: %w", s.Name, err)
		}
	}
	for c, candidate := range l.Candidates {
		for i, s := range candidate {
			_, err := tx.ExecContext(ctx, `INSERT INTO ladder_candidates (ladder_id, candidate, position, name, value) VALUES (?, ?, ?, ?, ?)`,
				id, c, i, s.Name, s.Value)
			if err != nil {
				return fmt.Errorf("candidate %d, %s: %w", c, s.Name, err)
			}
		}
	}
	for i, rank := range l.Ranks {
		seeds := len(l.Trials[i]) / max(1, len(l.Candidates))
		for j, t := range l.Trials[i] {
			if err := placeTrial(ctx, tx, id, sweep.ExtraTrial{Rank: rank, Candidate: j / seeds, Trial: t}); err != nil {
				return err
			}
		}
	}
	return nil
}

// placeTrial writes a trial and its place in a ladder.
func placeTrial(ctx context.Context, tx *sql.Tx, ladderID int64, t sweep.ExtraTrial) error {
	if err := upsertTrial(ctx, tx, t.Trial); err != nil {
		return fmt.Errorf("trial %s: %w", t.Trial.ID, err)
	}
	_, err := tx.ExecContext(ctx, `INSERT INTO rung_trials (ladder_id, rank, candidate, seed, trial_id) VALUES (?, ?, ?, ?, ?)`,
		ladderID, t.Rank, t.Candidate, t.Trial.Spec.Seed, t.Trial.ID)
	if err != nil {
		return fmt.Errorf("rank %d, seed %d: %w", t.Rank, t.Trial.Spec.Seed, err)
	}
	return nil
}

// upsertTrial writes a trial, or the places of its inputs where it is known already.
func upsertTrial(ctx context.Context, tx *sql.Tx, t trial.Trial) error {
	spec, err := encode(t.Spec)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO trial_specs (id, spec, base, data, backend) VALUES (?, ?, ?, ?, ?)
		ON CONFLICT (id) DO UPDATE SET spec = excluded.spec WHERE spec <> excluded.spec`, t.ID, spec, t.Base, t.Data, t.Backend)
	return err
}

func encodeInputs(l sweep.LadderPlan) (model, corpus string, err error) {
	if model, err = encode(l.Model); err != nil {
		return "", "", err
	}
	corpus, err = encode(l.Corpus)
	return model, corpus, err
}

// registerAgain compares a registration with what is stored and takes over new places of the inputs.
func registerAgain(ctx context.Context, tx *sql.Tx, info sweep.Info, r sweep.Registration) error {
	if r.Backend != info.Backend {
		return fmt.Errorf("it was begun on %s and cannot go on with %s, whose rounding differs", info.Backend, r.Backend)
	}
	stored, err := selectLadders(ctx, tx, info)
	if err != nil {
		return err
	}
	if len(stored) != len(r.Ladders) {
		return fmt.Errorf("it has %d ladders, not %d", len(stored), len(r.Ladders))
	}
	for i, l := range r.Ladders {
		if err := sameTrials(stored[i], l); err != nil {
			return fmt.Errorf("ladder %d: %w", i, err)
		}
		if err := moveInputs(ctx, tx, stored[i], l); err != nil {
			return fmt.Errorf("ladder %d: %w", i, err)
		}
	}
	return nil
}

// sameTrials fails with the first difference between a stored ladder and a plan.
func sameTrials(stored sweep.Ladder, l sweep.LadderPlan) error {
	if stored.Model.Fingerprint != l.Model.Fingerprint {
		return fmt.Errorf("model %s has changed since the sweep began: restore it, or start a sweep of another name", l.Model.Reference)
	}
	if stored.Corpus.Fingerprint != l.Corpus.Fingerprint {
		return errors.New("the data have changed since the sweep began: restore them, or start a sweep of another name")
	}
	if len(stored.Rungs) != len(l.Ranks) {
		return fmt.Errorf("it has %d ranks, not %d", len(stored.Rungs), len(l.Ranks))
	}
	for i, rung := range stored.Rungs {
		grid := gridTrials(rung)
		if rung.Rank != l.Ranks[i] || len(grid) != len(l.Trials[i]) {
			return fmt.Errorf("it has rank %d with %d trials, not rank %d with %d", rung.Rank, len(grid), l.Ranks[i], len(l.Trials[i]))
		}
		for j, t := range grid {
			if t.Trial.ID != l.Trials[i][j].ID {
				return fmt.Errorf("rank %d, seed %d is trial %s, not %s", rung.Rank, t.Trial.Spec.Seed, t.Trial.ID, l.Trials[i][j].ID)
			}
		}
	}
	return nil
}

// gridTrials returns the trials that a rung was registered with: those of the grid's seeds.
func gridTrials(r sweep.Rung) []sweep.TrialFacts {
	return slices.DeleteFunc(slices.Clone(r.Trials), func(t sweep.TrialFacts) bool { return t.Extra })
}

// moveInputs takes over the places of a ladder's inputs, for its extra trials from those of the grid.
func moveInputs(ctx context.Context, tx *sql.Tx, stored sweep.Ladder, l sweep.LadderPlan) error {
	model, corpus, err := encodeInputs(l)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `UPDATE ladders SET model = ?, corpus = ? WHERE id = ? AND (model <> ? OR corpus <> ?)`,
		model, corpus, stored.ID, model, corpus)
	if err != nil {
		return err
	}
	for i, rung := range stored.Rungs {
		moved := slices.Clone(l.Trials[i])
		first := map[int]trial.Trial{} // by candidate
		for j, t := range gridTrials(rung) {
			first[t.Candidate] = l.Trials[i][j]
		}
		for _, t := range rung.Trials {
			if t.Extra {
				moved = append(moved, first[t.Candidate].WithSeed(t.Trial.Spec.Seed))
			}
		}
		for _, t := range moved {
			if err := upsertTrial(ctx, tx, t); err != nil {
				return fmt.Errorf("trial %s: %w", t.ID, err)
			}
		}
	}
	return nil
}

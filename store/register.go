package store

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"reflect"
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
		return fmt.Errorf("register sweep %d in %s: %w", sweepID, d.path, err)
	}
	return nil
}

// checkPlan verifies that every trial stands at its own rank and seed, those of a reference at a seed.
func checkPlan(r sweep.Registration, seeds []int64) error {
	if r.Backend == "" {
		return errors.New("the registration names no backend")
	}
	for i, l := range r.Ladders {
		candidates := max(1, len(l.Candidates))
		for _, rung := range l.Rungs {
			if err := checkRung(rung, candidates, seeds); err != nil {
				return fmt.Errorf("ladder %d, rank %d: %w", i, rung.Rank, err)
			}
		}
		for _, t := range l.Reference {
			if spec := t.Trial.Spec(); !spec.LoRA.Full || !slices.Contains(seeds, spec.Seed) {
				return fmt.Errorf("ladder %d: trial %s of seed %d is no reference", i, t.Trial.ID, spec.Seed)
			}
		}
	}
	return nil
}

// checkRung verifies that a rung has one trial of its rank for each candidate and seed.
func checkRung(r sweep.RungPlan, candidates int, seeds []int64) error {
	if len(r.Trials) != candidates*len(seeds) {
		return fmt.Errorf("%d trials for %d candidates and %d seeds", len(r.Trials), candidates, len(seeds))
	}
	type place struct {
		candidate int
		seed      int64
	}
	seen := map[place]bool{}
	for _, t := range r.Trials {
		spec, at := t.Trial.Spec(), place{t.Candidate, t.Trial.Seed}
		if spec.LoRA.Rank != r.Rank || !slices.Contains(seeds, spec.Seed) || t.Candidate < 0 || t.Candidate >= candidates || seen[at] {
			return fmt.Errorf("trial %s has rank %d, candidate %d and seed %d", t.Trial.ID, spec.LoRA.Rank, t.Candidate, spec.Seed)
		}
		seen[at] = true
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
	places := make([]trialPlace, 0, r.Trials())
	for i, l := range r.Ladders {
		id, err := insertLadder(ctx, tx, sweepID, i, l)
		if err != nil {
			return fmt.Errorf("ladder %d: %w", i, err)
		}
		places = append(places, placesOf(id, &r.Ladders[i])...)
	}
	return insertTrials(ctx, tx, places)
}

// trialPlace is a planned trial and where in a ladder it stands.
type trialPlace struct {
	ladder int64
	rank   int // 0 of a reference
	trial  *sweep.PlannedTrial
}

func placesOf(ladder int64, l *sweep.LadderPlan) []trialPlace {
	var places []trialPlace
	for _, rung := range l.Rungs {
		for i := range rung.Trials {
			places = append(places, trialPlace{ladder, rung.Rank, &rung.Trials[i]})
		}
	}
	for i := range l.Reference {
		places = append(places, trialPlace{ladder, 0, &l.Reference[i]})
	}
	return places
}

// insertTrials writes the trials, each with its place, in the order of their ids, which are hashes: each page of the table and of the
// indexes by trial is then written once, instead of every time that one of many random ids falls on it.
func insertTrials(ctx context.Context, tx *sql.Tx, places []trialPlace) error {
	slices.SortStableFunc(places, func(a, b trialPlace) int { return cmp.Compare(a.trial.Trial.ID, b.trial.Trial.ID) })
	// The driver runs a statement that can be cancelled in a goroutine of its own, which costs as much again as the statement.
	each := context.WithoutCancel(ctx)
	for _, p := range places {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := upsertTrial(each, tx, p.trial.Trial); err != nil {
			return err
		}
		if err := placeTrial(each, tx, p); err != nil {
			return fmt.Errorf("ladder %d, rank %d, seed %d: %w", p.ladder, p.rank, p.trial.Trial.Seed, err)
		}
	}
	return nil
}

// insertLadder writes a ladder without its trials.
func insertLadder(ctx context.Context, tx *sql.Tx, sweepID int64, position int, l sweep.LadderPlan) (int64, error) {
	model, corpus, err := encodeInputs(l)
	if err != nil {
		return 0, err
	}
	res, err := tx.ExecContext(ctx, `INSERT INTO ladders (sweep_id, position, model, corpus) VALUES (?, ?, ?, ?)`,
		sweepID, position, model, corpus)
	if err != nil {
		return 0, err
	}
	id, err := res.LastInsertId()
	if err != nil {
		return 0, err
	}
	return id, insertSettings(ctx, tx, id, l)
}

// insertSettings writes the cell and the candidates of a ladder.
func insertSettings(ctx context.Context, tx *sql.Tx, id int64, l sweep.LadderPlan) error {
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
	return nil
}

// placeTrial writes the place of a trial in a ladder.
func placeTrial(ctx context.Context, tx *sql.Tx, p trialPlace) (err error) {
	t := p.trial
	if p.rank == 0 {
		_, err = tx.ExecContext(ctx, `INSERT INTO reference_trials (ladder_id, candidate, seed, trial_id) VALUES (?, ?, ?, ?)`,
			p.ladder, t.Candidate, t.Trial.Seed, t.Trial.ID)
		return err
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO rung_trials (ladder_id, rank, candidate, seed, trial_id) VALUES (?, ?, ?, ?, ?)`,
		p.ladder, p.rank, t.Candidate, t.Trial.Seed, t.Trial.ID)
	return err
}

// upsertTrial writes a trial, or the places of its inputs where it is known already.
func upsertTrial(ctx context.Context, tx *sql.Tx, t trial.Brief) error {
	spec, err := encode(t.Spec())
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO trial_specs (id, spec, base, data, backend) VALUES (?, ?, ?, ?, ?)
		ON CONFLICT (id) DO UPDATE SET spec = excluded.spec WHERE spec <> excluded.spec`,
		t.ID, spec, t.Shared.Base, t.Shared.Data, t.Shared.Backend)
	if err != nil {
		return fmt.Errorf("trial %s: %w", t.ID, err)
	}
	return nil
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
		return fmt.Errorf("it has %d ladders, not %d: %w", len(stored), len(r.Ladders), ErrHalfRegistered)
	}
	for i, l := range r.Ladders {
		if err := sameInputs(stored[i], l); err != nil {
			return fmt.Errorf("ladder %d: %w", i, err)
		}
		if err := sameTrials(stored[i], l); err != nil {
			return fmt.Errorf("ladder %d: %w: %w", i, err, ErrHalfRegistered)
		}
		if err := moveInputs(ctx, tx, stored[i], l); err != nil {
			return fmt.Errorf("ladder %d: %w", i, err)
		}
	}
	_, err = tx.ExecContext(ctx, `UPDATE registrations SET platform = ?, plugin_path = ? WHERE sweep_id = ?`,
		r.Platform, r.PluginPath, info.ID)
	return err
}

// ErrHalfRegistered says that the same grid and inputs make other trials than are stored: a disk that lied about its syncs may have kept a
// part of what was registered.
var ErrHalfRegistered = errors.New("the database has not kept all of its registration: move it and its -wal away, and run its grid " +
	"again; what was trained is in the trials' folders, and counts")

func sameInputs(stored sweep.Ladder, l sweep.LadderPlan) error {
	if stored.Model.Fingerprint != l.Model.Fingerprint {
		return fmt.Errorf("model %s has changed since the sweep began: restore it, or start a sweep of another name", l.Model.Reference)
	}
	if stored.Corpus.Fingerprint != l.Corpus.Fingerprint {
		return errors.New("the data have changed since the sweep began: restore them, or start a sweep of another name")
	}
	return nil
}

// sameTrials fails with the first difference between a stored ladder and a plan.
func sameTrials(stored sweep.Ladder, l sweep.LadderPlan) error {
	if len(stored.Rungs) != len(l.Rungs) {
		return fmt.Errorf("it has %d ranks, not %d", len(stored.Rungs), len(l.Rungs))
	}
	for i, rung := range stored.Rungs {
		grid, plan := gridTrials(rung), l.Rungs[i]
		if rung.Rank != plan.Rank || len(grid) != len(plan.Trials) {
			return fmt.Errorf("it has rank %d with %d trials, not rank %d with %d", rung.Rank, len(grid), plan.Rank, len(plan.Trials))
		}
		for j, t := range grid {
			if t.Trial.ID != plan.Trials[j].Trial.ID {
				return fmt.Errorf("rank %d, seed %d is trial %s, not %s", rung.Rank, t.Trial.Seed, t.Trial.ID, plan.Trials[j].Trial.ID)
			}
		}
	}
	return sameReference(stored.Reference, l.Reference)
}

func sameReference(stored []sweep.TrialFacts, plan []sweep.PlannedTrial) error {
	if len(stored) != len(plan) {
		return fmt.Errorf("its reference has %d trials, not %d", len(stored), len(plan))
	}
	for i, t := range stored {
		if t.Trial.ID != plan[i].Trial.ID {
			return fmt.Errorf("its reference's seed %d is trial %s, not %s", t.Trial.Seed, t.Trial.ID, plan[i].Trial.ID)
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
	if !reflect.DeepEqual(&stored.Model, &l.Model) || !reflect.DeepEqual(&stored.Corpus, &l.Corpus) {
		if err := moveLadder(ctx, tx, stored.ID, l); err != nil {
			return err
		}
	}
	for i, rung := range stored.Rungs {
		first := l.Rungs[i].PerCandidate()
		for _, t := range rung.Trials {
			if err := moveTrial(ctx, tx, t.Trial, first[t.Candidate].Spec); err != nil {
				return err
			}
		}
	}
	for i, t := range l.Reference {
		if err := moveTrial(ctx, tx, stored.Reference[i].Trial, t.Trial.Spec()); err != nil {
			return err
		}
	}
	for _, t := range stored.Scouts {
		if err := moveTrial(ctx, tx, t.Trial, l.Spec()); err != nil {
			return err
		}
	}
	return nil
}

func moveLadder(ctx context.Context, tx *sql.Tx, id int64, l sweep.LadderPlan) error {
	model, corpus, err := encodeInputs(l)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `UPDATE ladders SET model = ?, corpus = ? WHERE id = ?`, model, corpus, id)
	return err
}

// moveTrial gives a stored trial the places of another trial's inputs, which are the same. Most often they are where they were.
func moveTrial(ctx context.Context, tx *sql.Tx, stored trial.Brief, now trial.Spec) error {
	if stored.Shared.Spec.LiesAt(&now) {
		return nil
	}
	moved := *stored.Shared
	moved.Spec.Model, moved.Spec.Data, moved.Spec.LoRA.InitAdapter = now.Model, now.Data, now.LoRA.InitAdapter
	stored.Shared = &moved
	return upsertTrial(ctx, tx, stored)
}

package main

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/ranksweep/ranksweep/store"
	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/executor/cluster"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

// batchPatience is how long a batch's folder stays that its maker, killed meanwhile, may not have filled: writing it takes a moment.
const batchPatience = time.Hour

// endedBatches are the folders of batches of which no attempt is open or unknown to the database, and one at least is of the own sweeps. Of
// all sweeps' also those of removed trials, and what pilots have where nothing is open at all.
func (a *app) endedBatches(ctx context.Context, db *store.DB, all, own []sweep.Snapshot, every bool) (dirs []string, err error) {
	left, err := cluster.LeftBatches(a.root)
	if err != nil {
		return nil, err
	}
	over, mine := map[trial.AttemptID]bool{}, map[trial.AttemptID]bool{}
	quiet := every
	for _, s := range all {
		eachAttempt(s, func(f sweep.AttemptFacts) { over[f.ID] = f.Outcome != nil; quiet = quiet && f.Outcome != nil })
		if working, err := worked(ctx, db, s.Sweep.ID); err != nil {
			return nil, err
		} else if working {
			quiet = false
		}
	}
	for _, s := range own {
		eachAttempt(s, func(f sweep.AttemptFacts) { mine[f.ID] = true })
	}
	for _, b := range left {
		ended := func(id trial.AttemptID) bool {
			if known, ok := over[id]; ok {
				return known
			}
			_, err := os.Lstat(id.Dir(a.root))
			return errors.Is(err, fs.ErrNotExist)
		}
		open := slices.ContainsFunc(b.Attempts, func(id trial.AttemptID) bool { return !ended(id) })
		wanted := every && (len(b.Attempts) > 0 || time.Since(b.Made) > batchPatience) ||
			slices.ContainsFunc(b.Attempts, func(id trial.AttemptID) bool { return mine[id] })
		if wanted && !open {
			dirs = append(dirs, b.Folder)
		}
	}
	if quiet {
		dirs = append(dirs, cluster.PilotsFolder(a.root))
	}
	return dirs, nil
}

func eachAttempt(s sweep.Snapshot, visit func(sweep.AttemptFacts)) {
	s.Each(func(_ *sweep.Ladder, _ int, t *sweep.TrialFacts) {
		for _, f := range t.Attempts {
			visit(f)
		}
	})
}

// batchesOf are the folders of batches that have attempts of those trials alone.
func (a *app) batchesOf(ids []trial.ID) (dirs []string, err error) {
	left, err := cluster.LeftBatches(a.root)
	for _, b := range left {
		others := slices.ContainsFunc(b.Attempts, func(id trial.AttemptID) bool { return !slices.Contains(ids, id.Trial()) })
		if len(b.Attempts) > 0 && !others {
			dirs = append(dirs, b.Folder)
		}
	}
	return dirs, err
}

// moveBatches moves folders of batches away, of trials that are removed: what cannot be moved prune finds later.
func (a *app) moveBatches(dirs []string, trash string) error {
	var errs []error
	for i, dir := range dirs {
		if err := os.Rename(dir, filepath.Join(trash, "batch-"+strconv.Itoa(i))); !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

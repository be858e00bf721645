package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/ranksweep/ranksweep/store"
	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/grid"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

// openReadOnly opens the root's database for reading; without one the exit code is that of things not found.
func (a *app) openReadOnly(ctx context.Context) (*store.DB, error) {
	if err := a.refuseApart(); err != nil {
		return nil, err
	}
	db, err := store.OpenReadOnly(ctx, a.databasePath())
	if err == nil {
		a.sayOvertaken()
	}
	if errors.Is(err, sweep.ErrNotFound) && a.database != "" && store.HasTrials(a.root) {
		err = fmt.Errorf("database %s: %w here yet, though trials were run in %s: %s makes it of their folders",
			a.databasePath(), sweep.ErrNotFound, a.root, a.shell().Command("resume"))
	}
	return db, notFound(err)
}

// readSnapshot reads the facts of the sweep of that name, or of the latest, without writing anything.
func (a *app) readSnapshot(ctx context.Context, name string) (s sweep.Snapshot, err error) {
	err = inSweep(ctx, a.openReadOnly, name, func(db *store.DB, info sweep.Info) (err error) {
		s, err = db.Snapshot(ctx, info.ID)
		return err
	})
	return s, err
}

// inSweep opens the root's database and lets do look at the sweep of that name in it, or at the latest.
func inSweep(
	ctx context.Context, open func(context.Context) (*store.DB, error), name string, do func(*store.DB, sweep.Info) error,
) (err error) {
	db, err := open(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	info, err := findSweep(ctx, db, name)
	if err != nil {
		return err
	}
	return do(db, info)
}

// findSweep finds the sweep of that name, or the latest without one. A name that none has may be a typing error.
func findSweep(ctx context.Context, db *store.DB, name string) (sweep.Info, error) {
	info, err := db.Find(ctx, name)
	if !errors.Is(err, sweep.ErrNotFound) {
		return info, err
	}
	names, listing := db.Names(ctx)
	if listing != nil {
		return info, listing
	}
	if meant, ok := grid.Nearest(name, names); ok {
		err = fmt.Errorf("%w; did you mean %s?", err, meant)
	}
	return info, notFound(err)
}

// registered opens the store, which it checks, for a sweep that is in it, with its grid as it was registered. The caller closes the store.
func (a *app) registered(ctx context.Context, name string) (*store.DB, sweep.Info, grid.Grid, error) {
	db, err := a.openExistingStore(ctx)
	if err != nil {
		return nil, sweep.Info{}, grid.Grid{}, err
	}
	if err := a.checkDatabase(ctx, db); err != nil {
		return nil, sweep.Info{}, grid.Grid{}, errors.Join(err, db.Close())
	}
	info, err := findSweep(ctx, db, name)
	if err != nil {
		return nil, info, grid.Grid{}, errors.Join(err, db.Close())
	}
	grid, err := grid.Parse(info.GridPath, []byte(info.GridText))
	if err != nil {
		return nil, info, grid, errors.Join(fmt.Errorf("the grid of sweep %s as it was registered: %w", info.Name, err), db.Close())
	}
	return db, info, grid, nil
}

// openStore opens the root's database, making the root first.
func (a *app) openStore(ctx context.Context) (*store.DB, error) {
	if err := a.makeRoot(); err != nil {
		return nil, err
	}
	if a.database != "" {
		return a.openApart(ctx)
	}
	return a.opened(ctx, a.databasePath())
}

// opened opens the database to write. It says where that of before lies, if it was brought up to date, and finishes removals that were cut
// short.
func (a *app) opened(ctx context.Context, path string) (*store.DB, error) {
	if err := a.refuseApart(); err != nil {
		return nil, err
	}
	db, err := store.Open(ctx, path)
	if err != nil {
		return nil, err
	}
	if db.Kept() != "" {
		a.say("the database is brought up to date; as it was before it lies in %s", db.Kept())
	}
	if err := a.finishRemovals(ctx, db); err != nil {
		a.say("warning: %v", err)
	}
	return db, nil
}

// makeRoot makes the root where it is missing, for its owner alone: it holds text of the user's data. One that is there keeps its mode.
func (a *app) makeRoot() error {
	if err := trial.MakeRoot(a.root); err != nil {
		return fmt.Errorf("make the root folder: %w (choose another with --root)", err)
	}
	return nil
}

// openExistingStore opens the root's database to write, and makes none where there is none.
func (a *app) openExistingStore(ctx context.Context) (*store.DB, error) {
	if a.database != "" {
		if _, err := os.Stat(a.root); err != nil {
			return nil, notFoundf("root %s: %w", a.root, err)
		}
		return a.openApart(ctx)
	}
	if err := a.refuseApart(); err != nil {
		return nil, err
	}
	path := a.databasePath()
	if store.Lost(a.root) {
		return nil, notFoundf("database %s is not there, or empty, though trials were run here: %s makes a new one of their folders", path,
			trial.Command(a.root, "doctor", "--repair"))
	}
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return nil, notFoundf("database %s: not found; no sweep was run in this root yet", path)
	}
	return a.opened(ctx, path)
}

// recoverDatabase makes the root's database anew of its trials' folders where it is lost, and says so.
func (a *app) recoverDatabase(ctx context.Context) error {
	if a.database != "" { // see openApart
		return nil
	}
	if err := a.refuseApart(); err != nil {
		return err
	}
	losses, recovered, err := store.Recover(ctx, a.root, func() error { return a.finishAnyRemovals(ctx) })
	if errors.Is(err, sweep.ErrLocked) {
		return withCode(exitLocked, err)
	}
	if err != nil {
		return fmt.Errorf("make the lost database of %s anew: %w", a.root, err)
	}
	if recovered {
		a.say("warning: the database of %s was lost, and a new one was made of its trials' folders", a.root)
	}
	if n := len(losses); n > 0 {
		a.say("warning: %s in them could not be read; see %s", plural(n, "file"), trial.Command(a.root, "doctor"))
	}
	return nil
}

// readTrial finds a trial by the beginning of its id and lets read look up more about it.
func readTrial(
	ctx context.Context, a *app, prefix string, read func(*store.DB, store.TrialRecord) error,
) (record store.TrialRecord, err error) {
	db, err := a.openReadOnly(ctx)
	if err != nil {
		return store.TrialRecord{}, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	record, err = db.Trial(ctx, prefix)
	if errors.Is(err, store.ErrAmbiguous) {
		return store.TrialRecord{}, withCode(exitUsage, err)
	}
	if err != nil {
		return store.TrialRecord{}, notFound(err)
	}
	return record, read(db, record)
}

// checkDatabase reads all of the database before a coordinator writes to it: damage that none of its queries meets would stay.
func (a *app) checkDatabase(ctx context.Context, db *store.DB) error {
	err := db.Check(ctx)
	if !errors.Is(err, store.ErrUnsound) {
		return err
	}
	if a.database != "" {
		return fmt.Errorf("%w: move it and its -wal away, then %s makes it anew of the trials' folders", err, a.shell().Command("resume"))
	}
	return fmt.Errorf("%w: %s makes it whole from the trials' folders", err, trial.Command(a.root, "doctor", "--repair"))
}

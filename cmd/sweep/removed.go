package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/ranksweep/ranksweep/store"
	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

// What a person removes is moved into a folder of the root before it is deleted, so that none of it is left half where it was. A kill in
// between leaves that folder. Whoever opens the root to write next finishes what was begun: trials that the database still has go back to
// their place, because it was not told of their removal; all else is deleted.

const removedPrefix = "removed-"

// removing does something to a root's files while no other command removes any, with a folder that they are moved into. Then that is
// deleted, but where the removal fails.
func (a *app) removing(remove func(trash string) error) (err error) {
	release, err := store.LockRemovals(a.root)
	if errors.Is(err, sweep.ErrLocked) {
		return withCode(exitLocked, err)
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, release()) }()
	trash, err := os.MkdirTemp(a.root, removedPrefix)
	if err != nil {
		return err
	}
	if err := remove(trash); err != nil {
		return err
	}
	if err := os.RemoveAll(trash); err != nil {
		return fmt.Errorf("it is removed, but not all of its files: %w", err)
	}
	return nil
}

// removals are the folders of removals that have not come to their end.
func removals(root string) (dirs []string, err error) {
	entries, err := os.ReadDir(root)
	for _, e := range entries {
		if e.IsDir() && strings.HasPrefix(e.Name(), removedPrefix) {
			dirs = append(dirs, filepath.Join(root, e.Name()))
		}
	}
	return dirs, err
}

// finishRemovals ends removals that were cut short. db is nil where there is none.
func (a *app) finishRemovals(ctx context.Context, db *store.DB) (err error) {
	if dirs, err := removals(a.root); err != nil || len(dirs) == 0 {
		return err
	}
	release, err := store.LockRemovals(a.root)
	if errors.Is(err, sweep.ErrLocked) {
		return nil // it is not cut short
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, release()) }()
	dirs, err := removals(a.root)
	for _, dir := range dirs {
		if err := a.finishRemoval(ctx, db, dir); err != nil {
			return fmt.Errorf("finish the removal that left %s: %w", dir, err)
		}
	}
	return err
}

func (a *app) finishRemoval(ctx context.Context, db *store.DB, dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if db == nil {
			break
		}
		record, err := db.Trial(ctx, e.Name())
		if errors.Is(err, sweep.ErrNotFound) || errors.Is(err, store.ErrAmbiguous) || err == nil && string(record.Trial.ID) != e.Name() {
			continue // no trial that the database has
		}
		if err == nil {
			err = a.bringBack(ctx, db, record, filepath.Join(dir, e.Name()))
		}
		if err != nil {
			return err
		}
	}
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	a.say("a removal that was cut short is finished")
	return nil
}

// bringBack puts the folder of a trial that the database still has in its place, with the records of its sweeps, which went first.
func (a *app) bringBack(ctx context.Context, db *store.DB, record store.TrialRecord, dir string) error {
	place := a.trialFolder(record.Trial.ID)
	if _, err := os.Lstat(place); !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("trial %s has another folder by now, and the database still has it: look at both, then remove one: %w",
			record.Trial.ID, errors.Join(err, fs.ErrExist))
	}
	if err := errors.Join(os.Rename(dir, place), trial.SyncFolder(filepath.Dir(place))); err != nil {
		return err
	}
	a.say("trial %s is back: its removal was cut short before the database was told", record.Trial.ID)
	for _, p := range record.Places {
		info, err := db.Find(ctx, p.Sweep)
		if err != nil {
			return err
		}
		if err := a.keeper(db, info.ID).KeepLast(ctx, a.root, time.Now()); err != nil {
			return err
		}
	}
	return nil
}

// finishAnyRemovals is finishRemovals where the database may be lost, and leaves them to later where it is damaged.
func (a *app) finishAnyRemovals(ctx context.Context) error {
	if dirs, err := removals(a.root); err != nil || len(dirs) == 0 {
		return err
	}
	db, err := a.openReadOnly(ctx)
	if exitCode(err) == exitNotFound {
		return a.finishRemovals(ctx, nil)
	}
	if err != nil {
		return nil //nolint:nilerr // it is repaired first
	}
	return errors.Join(a.finishRemovals(ctx, db), db.Close())
}

package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/ranksweep/ranksweep/store"
	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

// databasePath is where the root's database lies: in the root, or in the folder of --database where the root is on a network file system.
func (a *app) databasePath() string { return filepath.Join(cmp.Or(a.database, a.root), "sweep.db") }

// refuseApart fails where the root's database lies elsewhere, and --database is not there to say so.
func (a *app) refuseApart() error {
	if a.database != "" || !store.HasLease(a.root) {
		return nil
	}
	if _, err := os.Lstat(a.databasePath()); err == nil {
		return nil
	}
	return usagef("the database of %s lies on a local disk of a machine that worked on it: add --database DIR (sweep help cluster)", a.root)
}

// sayOvertaken warns of a database that is out of date, because another one has worked on the root since. It looks, and takes no lease.
func (a *app) sayOvertaken() {
	if a.database == "" {
		return
	}
	root, rootErr := filepath.EvalSymlinks(a.root)
	folder, folderErr := filepath.EvalSymlinks(a.database)
	by, err := store.Overtaken(root, folder)
	switch {
	case errors.Join(rootErr, folderErr, err) != nil:
		a.say("warning: whether another database has worked on %s since is not known: %v", a.root, errors.Join(rootErr, folderErr, err))
	case by != nil:
		a.say("warning: this is of before %s, when the database in %s on host %s took over; bring it up to date, once that has ended, with: %s",
			by.Since.UTC().Format(utcTime), by.Database, by.Host, a.shell().Command("resume"))
	}
}

// openApart opens a database that does not lie in its root, once no other one works on the root. Where another one did since this one was
// last used, or this one never was, it is made anew of the trials' folders.
func (a *app) openApart(ctx context.Context) (db *store.DB, err error) {
	if _, err := os.Lstat(filepath.Join(a.root, "sweep.db")); err == nil {
		return nil, usagef("%s has its database in it: leave out --database %s", a.root, a.database)
	}
	if err := os.MkdirAll(a.database, 0o700); err != nil {
		return nil, fmt.Errorf("make the folder of the database: %w (choose another with --database)", err)
	}
	if err := store.CheckFolder(a.database); err != nil {
		return nil, usagef("--database: %w", err)
	}
	root, err := filepath.EvalSymlinks(a.root)
	if err != nil {
		return nil, err
	}
	folder, err := filepath.EvalSymlinks(a.database)
	if err != nil {
		return nil, err
	}
	lease, err := store.TakeRoot(ctx, root, folder, a.clock, func(text string) { a.say("%s", text) })
	if held, ok := errors.AsType[*store.RootHeldError](err); ok {
		return nil, withCode(exitLocked, fmt.Errorf("%w; once its coordinator or its machine has ended, the same command goes on here", held))
	}
	if err != nil {
		return nil, err
	}
	if db, err = a.openHeld(ctx, lease); err != nil {
		return nil, errors.Join(err, lease.Release())
	}
	db.Guard(lease)
	return db, nil
}

// openHeld opens the database under the root's lease.
func (a *app) openHeld(ctx context.Context, lease *store.RootLease) (*store.DB, error) {
	path := a.databasePath()
	_, missing := os.Lstat(path)
	if lease.Fresh && missing == nil {
		aside := fmt.Sprintf("%s.before-%s", path, time.Now().UTC().Format("20060102-150405"))
		if err := moveDatabase(path, aside); err != nil {
			return nil, err
		}
		a.say("another machine has worked on %s since: the database of before lies in %s", a.root, aside)
		missing = fs.ErrNotExist
	}
	if errors.Is(missing, fs.ErrNotExist) && store.HasTrials(a.root) {
		a.say("building the database from the trials' folders in %s", a.root)
		losses, err := store.Rebuild(ctx, a.root, path)
		if err != nil {
			return nil, err
		}
		for _, loss := range losses {
			a.say("warning: %s: %v", loss.Path, loss.Err)
		}
	}
	db, err := a.opened(ctx, path)
	if err != nil {
		return nil, err
	}
	if err := lease.Served(); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

// moveDatabase moves a database with its write-ahead log.
func moveDatabase(from, to string) error {
	for _, suffix := range []string{"-wal", "-shm", ""} { // the log first: what is left without it is out of date anyway
		if err := os.Rename(from+suffix, to+suffix); err != nil && (suffix == "" || !errors.Is(err, fs.ErrNotExist)) {
			return err
		}
	}
	return nil
}

// mayGoOn fails once another database works on the root, or the queue has refused what it would refuse of every trial.
func mayGoOn(db *store.DB, e sweep.Executor) func() error {
	queue, ok := e.(interface{ Refusal() error })
	if !ok {
		return db.Held
	}
	return func() error { return errors.Join(db.Held(), queue.Refusal()) }
}

// fencedExecutor starts and stops nothing once held fails.
type fencedExecutor struct {
	sweep.Executor
	held func() error
}

func (e fencedExecutor) Start(ctx context.Context, a trial.Assignment) error {
	if err := e.held(); err != nil {
		return err
	}
	return e.Executor.Start(ctx, a)
}

// Probe is when a cluster's executor hands in what waits, as Events is.
func (e fencedExecutor) Probe(ctx context.Context, id trial.AttemptID) (sweep.Process, error) {
	if err := e.held(); err != nil {
		return sweep.Process{}, err
	}
	return e.Executor.Probe(ctx, id)
}

func (e fencedExecutor) Events(ctx context.Context, id trial.AttemptID, after int64) ([]trial.Event, error) {
	if err := e.held(); err != nil {
		return nil, err
	}
	return e.Executor.Events(ctx, id, after)
}

func (e fencedExecutor) Stop(ctx context.Context, id trial.AttemptID, kill bool) error {
	if err := e.held(); err != nil {
		return err
	}
	return e.Executor.Stop(ctx, id, kill)
}

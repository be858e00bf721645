package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync/atomic"

	"github.com/ranksweep/ranksweep/sweep"
)

// DB is a sweep database. It is safe for concurrent use.
type DB struct {
	path string
	w    *sql.DB // one connection, so that writes queue here and not in SQLite; nil when opened read-only
	r    *sql.DB
	held atomic.Pointer[lease] // the session that fences this DB's writes; nil before StartSession
	kept string                // see Kept

	root    *RootLease // see Guard
	writing *fileLock  // keeps Repair from moving the file away; nil when opened read-only
}

var _ sweep.Store = (*DB)(nil)

// Open opens the database at path for a coordinator. It creates the file and its folder where they are missing and
// applies outstanding migrations. A path on a network file system is refused: SQLite's locks do not hold there.
func Open(ctx context.Context, path string) (*DB, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("database %s: %w", path, err)
	}
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("create the folder of the database: %w: choose a folder that can be written with --root", err)
	}
	if target, err := filepath.EvalSymlinks(path); err == nil {
		dir = filepath.Dir(target)
	}
	if err := refuseNetwork(dir); err != nil {
		return nil, err
	}
	if err := refuseForeign(ctx, path); err != nil {
		return nil, err
	}
	d := &DB{path: path, w: openWriter(path)}
	if err := d.migrate(ctx); err != nil {
		return nil, errors.Join(d.explain(err), d.w.Close(), d.writing.release())
	}
	d.r = openReader(path)
	return d, nil
}

// OpenReadOnly opens the database at path for reports. It works while a coordinator writes and changes nothing. It fails
// with sweep.ErrNotFound when there is no database.
func OpenReadOnly(ctx context.Context, path string) (*DB, error) {
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) && HasTrials(filepath.Dir(path)) {
		return nil, fmt.Errorf("database %s: %w, though trials were run here: %s makes a new one of their folders",
			path, sweep.ErrNotFound, repairCommand(path))
	} else if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("database %s: %w; no sweep was run in this root yet", path, sweep.ErrNotFound)
	} else if err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	d := &DB{path: path, r: openReader(path)}
	if err := d.checkVersion(ctx); err != nil {
		err = errors.Join(d.explain(err), d.r.Close())
		switch health, why, lookErr := Inspect(ctx, path); {
		case lookErr == nil && (health == HealthEmpty || health == HealthForeign):
			err = fmt.Errorf("database %s: %s: %s moves it aside and makes one of the trials' folders; or choose another --root",
				path, why, repairCommand(path))
		}
		return nil, err
	}
	return d, nil
}

// Guard has every write fail with sweep.ErrLocked once another database works on the root. Close gives the root up.
func (d *DB) Guard(l *RootLease) { d.root = l }

// Held fails with sweep.ErrLocked where Guard was called and another database works on the root.
func (d *DB) Held() error {
	if d.root == nil {
		return nil
	}
	return d.root.Held()
}

// Path returns the database file's path.
func (d *DB) Path() string { return d.path }

// Close ends a session that is still held without writing its end, as a crash would, and closes the file.
func (d *DB) Close() error {
	var err error
	if held := d.held.Swap(nil); held != nil {
		err = held.lock.release()
	}
	// The readers go first: the last connection to close moves the write-ahead log into the file, if it may write.
	err = errors.Join(err, d.r.Close())
	if d.w != nil {
		err = errors.Join(err, d.w.Close())
	}
	err = errors.Join(err, d.writing.release())
	if d.root != nil {
		err = errors.Join(err, d.root.Release())
		d.root = nil
	}
	return err
}

// write runs f in one transaction that holds the write lock from its start. A coordinator whose lease was taken over
// fails with sweep.ErrLocked.
func (d *DB) write(ctx context.Context, f func(*sql.Tx) error) error {
	if d.w == nil {
		return fmt.Errorf("database %s is open for reading only", d.path)
	}
	if err := d.Held(); err != nil {
		return err
	}
	return d.transact(ctx, d.w, func(tx *sql.Tx) error {
		if err := d.checkLease(ctx, tx); err != nil {
			return err
		}
		return f(tx)
	})
}

// read runs f on one moment of the database.
func (d *DB) read(ctx context.Context, f func(*sql.Tx) error) error {
	return d.transact(ctx, d.r, f)
}

func (d *DB) transact(ctx context.Context, pool *sql.DB, f func(*sql.Tx) error) error {
	tx, err := pool.BeginTx(ctx, nil)
	if err != nil {
		return d.explain(err)
	}
	if err := f(tx); err != nil {
		// A failed rollback is no news: SQLite has rolled back by itself, or does so when the connection closes.
		_ = tx.Rollback()
		return d.explain(err)
	}
	return d.explain(tx.Commit())
}

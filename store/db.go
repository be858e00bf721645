package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"sync/atomic"

	_ "github.com/mattn/go-sqlite3" // the driver sqlite3
	"golang.org/x/sys/unix"

	"github.com/ranksweep/ranksweep/sweep"
)

// DB is a sweep database. It is safe for concurrent use.
type DB struct {
	path string
	w    *sql.DB // one connection, so that writes queue here and not in SQLite; nil when opened read-only
	r    *sql.DB
	held atomic.Pointer[lease] // the session that fences this DB's writes; nil before StartSession
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
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("create the folder of the database: %w: choose a folder that can be written with --root", err)
	}
	if err := refuseNetwork(dir); err != nil {
		return nil, err
	}
	w, err := sql.Open("sqlite3", dsn(path, url.Values{
		"mode": {"rwc"}, "_journal_mode": {"WAL"}, "_foreign_keys": {"on"}, "_busy_timeout": {"5000"},
		"_txlock": {"immediate"}, "_synchronous": {"FULL"},
	}))
	if err != nil {
		return nil, fmt.Errorf("open database %s: %w", path, err)
	}
	w.SetMaxOpenConns(1)
	d := &DB{path: path, w: w}
	if err := d.migrate(ctx); err != nil {
		return nil, errors.Join(d.explain(err), w.Close())
	}
	if d.r, err = openReader(path); err != nil {
		return nil, errors.Join(err, w.Close())
	}
	return d, nil
}

// OpenReadOnly opens the database at path for reports. It works while a coordinator writes and changes nothing. It fails
// with sweep.ErrNotFound when there is no database.
func OpenReadOnly(ctx context.Context, path string) (*DB, error) {
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("database %s: %w: no sweep was run in this root yet", path, sweep.ErrNotFound)
	} else if err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	r, err := openReader(path)
	if err != nil {
		return nil, err
	}
	d := &DB{path: path, r: r}
	if err := d.checkVersion(ctx); err != nil {
		return nil, errors.Join(d.explain(err), r.Close())
	}
	return d, nil
}

// openReader returns the pool for reading: each read transaction sees one moment of the database.
func openReader(path string) (*sql.DB, error) {
	values := url.Values{"mode": {"ro"}, "_query_only": {"on"}, "_busy_timeout": {"5000"}}
	if unwritableAtRest(path) {
		values.Set("immutable", "1")
	}
	r, err := sql.Open("sqlite3", dsn(path, values))
	if err != nil {
		return nil, fmt.Errorf("open database %s: %w", path, err)
	}
	return r, nil
}

// dsn returns the URI of a file with these settings. They are part of it, and not statements run on the pool, so that
// every new connection has them.
func dsn(path string, values url.Values) string {
	u := url.URL{Scheme: "file", Path: filepath.ToSlash(path), OmitHost: true, RawQuery: values.Encode()}
	return u.String()
}

// Path returns the database file's path.
func (d *DB) Path() string { return d.path }

// Close ends a session that is still held without writing its end, as a crash would, and closes the file.
func (d *DB) Close() error {
	var err error
	if held := d.held.Swap(nil); held != nil {
		err = held.lock.release()
	}
	if d.w != nil {
		err = errors.Join(err, d.w.Close())
	}
	return errors.Join(err, d.r.Close())
}

// write runs f in one transaction that holds the write lock from its start. A coordinator whose lease was taken over
// fails with sweep.ErrLocked.
func (d *DB) write(ctx context.Context, f func(*sql.Tx) error) error {
	if d.w == nil {
		return fmt.Errorf("database %s is open for reading only", d.path)
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

// unwritableAtRest reports whether nobody writes to the database and nobody could from here: it has no write-ahead log
// and its folder is read-only. SQLite reads such a file only when told that it does not change.
func unwritableAtRest(path string) bool {
	if _, err := os.Stat(path + "-wal"); !errors.Is(err, fs.ErrNotExist) {
		return false
	}
	return unix.Access(filepath.Dir(path), unix.W_OK) != nil
}

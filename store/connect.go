package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"

	"github.com/mattn/go-sqlite3"
	"golang.org/x/sys/unix"
)

// connector opens every connection of a pool in the same way. Settings are part of the URI and the hook, never
// statements run on the pool: those would reach one connection only.
type connector struct {
	path   string
	uri    string
	driver driver.Driver
}

func (c connector) Connect(context.Context) (driver.Conn, error) {
	if err := keepPlans(); err != nil {
		return nil, err
	}
	for _, path := range []string{c.path, c.path + walSuffix} {
		if !isFile(path) {
			return nil, fmt.Errorf("%s is a pipe or a device, not a database: look at it, then move it away", path)
		}
	}
	return c.driver.Open(c.uri)
}
func (c connector) Driver() driver.Driver { return c.driver }

// writePatience is how long a write waits for another program's, in ms: longer than the longest of our own, which registers 10,000 ladders
// in up to 18 s (experiments/LOG.md 2026-11-29).
const writePatience = "30000"

// openWriter returns the pool of the one writing connection. It keeps the statements of a transaction, which are few and run for
// every trial or event, prepared, and has room for the indexes by trial while a large sweep is registered (experiments/LOG.md 2026-11-29).
func openWriter(path string) *sql.DB {
	w := sql.OpenDB(connector{
		path: path,
		uri: uri(path, url.Values{
			"mode": {"rwc"}, "_journal_mode": {"WAL"}, "_foreign_keys": {"on"}, "_busy_timeout": {writePatience},
			"_txlock": {"immediate"}, "_synchronous": {"FULL"}, "_stmt_cache_size": {"32"}, "_cache_size": {"-32768"},
		}),
		driver: &sqlite3.SQLiteDriver{ConnectHook: keepLog},
	})
	w.SetMaxOpenConns(1)
	return w
}

// keepLog leaves the (emptied) write-ahead log in place at the end, so that a reader without the right to create files
// can read, and one with that right need not use it. A reader that takes long lets the log grow, for it cannot be emptied meanwhile:
// once it is, what is beyond its usual size (1000 pages, SQLite's own limit) goes.
func keepLog(conn *sqlite3.SQLiteConn) error {
	if _, err := conn.Exec(`PRAGMA journal_size_limit = 4194304`, nil); err != nil {
		return err
	}
	return conn.SetFileControlInt("main", sqlite3.SQLITE_FCNTL_PERSIST_WAL, 1)
}

// openReader returns the pool for reading: each read transaction sees one moment of the database.
func openReader(path string) *sql.DB {
	return openUnwritable(path, url.Values{"_query_only": {"on"}, "_stmt_cache_size": {"64"}})
}

// openUnwritable opens a database that is only read, with these settings more.
func openUnwritable(path string, values url.Values) *sql.DB {
	values.Set("mode", "ro")
	values.Set("_busy_timeout", "5000")
	if unwritableAtRest(path) {
		values.Set("immutable", "1")
	}
	return sql.OpenDB(connector{path: path, uri: uri(path, values), driver: &sqlite3.SQLiteDriver{}})
}

// uri names a file with these settings; the path's own "?", "#" and "%" are escaped.
func uri(path string, values url.Values) string {
	u := url.URL{Scheme: "file", Path: filepath.ToSlash(path), OmitHost: true, RawQuery: values.Encode()}
	return u.String()
}

// unwritableAtRest reports whether nobody writes to the database and nobody could from here: it has no write-ahead log
// and its folder is read-only, as on a mounted archive. SQLite reads such a file only when told that it does not change.
func unwritableAtRest(path string) bool {
	if _, err := os.Stat(path + "-wal"); !errors.Is(err, fs.ErrNotExist) {
		return false
	}
	return unix.Access(filepath.Dir(path), unix.W_OK) != nil
}

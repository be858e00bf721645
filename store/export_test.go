package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"net/url"
	"slices"
	"strconv"
	"sync/atomic"

	"github.com/mattn/go-sqlite3"
)

// SchemaVersion is the number of the last migration.
func SchemaVersion() (int64, error) { return schemaVersion() }

// Passing and PassingCheck tell what surrounds a database from what is in it.
func Passing(err error) bool { return passing(err) }

// PassingCheck is of what integrity_check found.
func PassingCheck(found string) error { return passingCheck(found) }

// FactTables are those of what events carry.
func FactTables() []string {
	return slices.DeleteFunc(attemptTables(), func(table string) bool { return table == "events" })
}

// KeepAside keeps a database aside, to be replaced.
func KeepAside(path string) (aside string, err error) { return keepAside(path) }

// CountQueries makes db count, from here on, the statements that it reads with.
func CountQueries(db *DB) *atomic.Int64 {
	counting := countingDriver{queries: new(atomic.Int64)}
	db.r = sql.OpenDB(connector{uri: uri(db.path, url.Values{"mode": {"ro"}}), driver: counting})
	return counting.queries
}

type countingDriver struct {
	sqlite3.SQLiteDriver
	queries *atomic.Int64
}

type countingConn struct {
	*sqlite3.SQLiteConn
	queries *atomic.Int64
}

func (d countingDriver) Open(name string) (driver.Conn, error) {
	conn, err := d.SQLiteDriver.Open(name)
	if err != nil {
		return nil, err
	}
	return countingConn{conn.(*sqlite3.SQLiteConn), d.queries}, nil //nolint:forcetypeassert // what SQLite's driver opens
}

func (c countingConn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	c.queries.Add(1)
	return c.SQLiteConn.QueryContext(ctx, query, args)
}

// Exec runs a statement on the writing connection, around every check in Go.
func (d *DB) Exec(ctx context.Context, query string, args ...any) error {
	return d.transact(ctx, d.w, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, query, args...)
		return err
	})
}

// LimitPages makes the file as full as it is now plus extra pages, as a full disk would. A pragma, so outside of Exec's
// transaction; it stays with the one writing connection.
func (d *DB) LimitPages(ctx context.Context, extra int) error {
	var pages int
	if err := d.w.QueryRowContext(ctx, `PRAGMA page_count`).Scan(&pages); err != nil {
		return err
	}
	return d.w.QueryRowContext(ctx, `PRAGMA max_page_count = `+strconv.Itoa(pages+extra)).Scan(&pages)
}

// Query returns the rows of a query as text, NULL as "NULL".
func (d *DB) Query(ctx context.Context, query string, args ...any) ([][]string, error) {
	rows, err := d.r.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	columns, err := rows.Columns()
	var table [][]string
	err = each(rows, err, func(rows *sql.Rows) error {
		cells := make([]sql.NullString, len(columns))
		fields := make([]any, len(columns))
		for i := range cells {
			fields[i] = &cells[i]
		}
		if err := rows.Scan(fields...); err != nil {
			return err
		}
		line := make([]string, len(columns))
		for i, c := range cells {
			line[i] = "NULL"
			if c.Valid {
				line[i] = c.String
			}
		}
		table = append(table, line)
		return nil
	})
	return table, err
}

// CopyTo writes a copy of the database without free pages.
func (d *DB) CopyTo(ctx context.Context, path string) error {
	_, err := d.w.ExecContext(ctx, `VACUUM INTO ?`, path)
	return err
}

// HoldReader begins a read transaction, which sees the database as it is now, and returns what ends it.
func HoldReader(ctx context.Context, d *DB) (release func() error, err error) {
	tx, err := d.r.BeginTx(ctx, nil)
	if err != nil {
		return nil, err
	}
	var sweeps int
	if err := tx.QueryRowContext(ctx, `SELECT count(*) FROM sweeps`).Scan(&sweeps); err != nil {
		return nil, err
	}
	return tx.Rollback, nil
}

// HurryWrites has db's writes wait for another program's for a millisecond only.
func HurryWrites(ctx context.Context, db *DB) error {
	_, err := db.w.ExecContext(ctx, `PRAGMA busy_timeout = 1`)
	return err
}

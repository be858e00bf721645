package store

import (
	"context"
	"database/sql"
	"fmt"
)

// Watch tells whether anything was written to the database, without reading it. It keeps a connection, for that is what SQLite counts by.
// It is not safe for concurrent use.
type Watch struct {
	db      *DB
	conn    *sql.Conn
	version int64
}

// Watch begins to watch. The caller closes the watch.
func (d *DB) Watch(ctx context.Context) (*Watch, error) {
	conn, err := d.r.Conn(ctx)
	if err != nil {
		return nil, fmt.Errorf("watch the database: %w", d.explain(err))
	}
	return &Watch{db: d, conn: conn}, nil
}

// Changed reports whether a transaction of another connection was committed since it was last asked. The first answer is yes.
func (w *Watch) Changed(ctx context.Context) (bool, error) {
	var version int64 // never 0
	if err := w.conn.QueryRowContext(ctx, `PRAGMA data_version`).Scan(&version); err != nil {
		return false, fmt.Errorf("watch the database: %w", w.db.explain(err))
	}
	changed := version != w.version
	w.version = version
	return changed, nil
}

// Close ends the watch.
func (w *Watch) Close() error { return w.conn.Close() }

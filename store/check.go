package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// ErrDamaged says that a database contradicts itself.
var ErrDamaged = errors.New("the database is damaged")

// Check reads all of the database and fails with ErrDamaged where its structure or its foreign keys do not hold.
func (d *DB) Check(ctx context.Context) error {
	err := d.read(ctx, func(tx *sql.Tx) error {
		var found string
		if err := tx.QueryRowContext(ctx, `PRAGMA integrity_check(1)`).Scan(&found); err != nil {
			return err
		}
		if found != "ok" {
			return fmt.Errorf("%w: %s", ErrDamaged, found)
		}
		rows, err := tx.QueryContext(ctx, `PRAGMA foreign_key_check`)
		return each(rows, err, func(rows *sql.Rows) error {
			var table, parent string
			var row sql.Null[int64]
			var key int64
			if err := rows.Scan(&table, &row, &parent, &key); err != nil {
				return err
			}
			return fmt.Errorf("%w: row %d of %s belongs to none of %s", ErrDamaged, row.V, table, parent)
		})
	})
	if err != nil {
		return fmt.Errorf("check database %s: %w", d.path, err)
	}
	return nil
}

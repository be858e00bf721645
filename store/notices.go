package store

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"fmt"
	"time"
)

// Notices remembers which events of a sweep one target was told.
type Notices struct {
	db     *DB
	sweep  int64
	target string
}

// Notices returns those of a target: a command or an address, of which only a digest is kept.
func (d *DB) Notices(sweepID int64, target string) Notices {
	sum := sha256.Sum256([]byte(target))
	return Notices{d, sweepID, hex.EncodeToString(sum[:])}
}

// Told returns the ids of the events that the target was told.
func (n Notices) Told(ctx context.Context) (map[string]bool, error) {
	told := map[string]bool{}
	err := n.db.read(ctx, func(tx *sql.Tx) error {
		rows, err := tx.QueryContext(ctx, `SELECT event FROM notices WHERE sweep_id = ? AND target = ?`, n.sweep, n.target)
		return each(rows, err, func(rows *sql.Rows) error {
			var event string
			err := rows.Scan(&event)
			told[event] = true
			return err
		})
	})
	if err != nil {
		return nil, fmt.Errorf("notices of sweep %d: %w", n.sweep, err)
	}
	return told, nil
}

// Tell writes that the target was told an event. The same again changes nothing.
func (n Notices) Tell(ctx context.Context, event string, at time.Time) error {
	err := n.db.write(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO notices (sweep_id, target, event, at_ns) VALUES (?, ?, ?, ?)
			ON CONFLICT (sweep_id, target, event) DO NOTHING`, n.sweep, n.target, event, unixNano(at))
		return err
	})
	if err != nil {
		return fmt.Errorf("notice of sweep %d: %w", n.sweep, err)
	}
	return nil
}

package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"github.com/ranksweep/ranksweep/sweep/trial"
)

// ErrUnsound says that a database contradicts itself.
var ErrUnsound = errors.New("the database is damaged")

// Check reads all of the open database and fails with ErrUnsound where Inspect would find it anything but sound, or an event has lost what
// it carries. What else the folders of attempts contradict, Repair finds.
func (d *DB) Check(ctx context.Context) error {
	health, why, err := inspect(ctx, d.r)
	if err == nil && health == HealthSound {
		why, err = firstText(ctx, d.r, bareEvent)
	}
	switch {
	case err == nil && why != "":
		return fmt.Errorf("%s: %w: %s", d.path, ErrUnsound, strings.TrimPrefix(why, foundDamaged))
	case err != nil && !passing(err) && ctx.Err() == nil:
		return fmt.Errorf("%s: %w: %w", d.path, ErrUnsound, err)
	case err != nil:
		return fmt.Errorf("check database %s: %w", d.path, d.explain(err))
	}
	return nil
}

// bareEvent names an event of bareEvents.
const bareEvent = `SELECT 'event ' || seq || ' (' || kind || ') of attempt ' || trial_id || '/' || number || ' has lost its data' ` +
	bareEvents + ` LIMIT 1`

// bareEvents are those without what their kind carries, which is written at the same moment: a disk that lied about its syncs has kept
// some pages of that moment and lost others. SQLite finds it sound.
const bareEvents = `FROM events e JOIN attempts a ON a.id = e.attempt_id
	WHERE NOT CASE kind
		WHEN 'started' THEN EXISTS (SELECT 1 FROM environments f WHERE f.attempt_id = e.attempt_id AND f.seq = e.seq)
		WHEN 'predicted' THEN EXISTS (SELECT 1 FROM predictions f WHERE f.attempt_id = e.attempt_id AND f.seq = e.seq)
		WHEN 'point' THEN EXISTS (SELECT 1 FROM points f WHERE f.attempt_id = e.attempt_id AND f.seq = e.seq)
		WHEN 'eval' THEN EXISTS (SELECT 1 FROM evaluations f WHERE f.attempt_id = e.attempt_id AND f.seq = e.seq)
		WHEN 'memory' THEN EXISTS (SELECT 1 FROM memory_peaks f WHERE f.attempt_id = e.attempt_id AND f.seq = e.seq)
		WHEN 'screened' THEN EXISTS (SELECT 1 FROM screened_losses f WHERE f.attempt_id = e.attempt_id AND f.seq = e.seq)
		WHEN 'updates' THEN EXISTS (SELECT 1 FROM module_updates f WHERE f.attempt_id = e.attempt_id AND f.seq = e.seq)
		WHEN 'ended' THEN EXISTS (SELECT 1 FROM outcomes f WHERE f.attempt_id = e.attempt_id AND f.seq = e.seq)
		ELSE true END`

// dropBare removes the events that have lost their data, after a backup. What their attempts' folders have of them is taken in again.
func (d *DB) dropBare(ctx context.Context) ([]Mended, error) {
	bare, err := d.bare(ctx)
	if err != nil || len(bare) == 0 {
		return nil, err
	}
	bare[0].Aside = trial.Aside(d.path)
	if err := d.Backup(ctx, bare[0].Aside); err != nil {
		return nil, err
	}
	return bare, d.write(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `DELETE FROM events WHERE (attempt_id, seq) IN (SELECT e.attempt_id, e.seq `+bareEvents+`)`)
		return err
	})
}

// bare says of the database that an event in it has lost its data, where one has.
func (d *DB) bare(ctx context.Context) ([]Mended, error) {
	why, err := firstText(ctx, d.r, bareEvent)
	if err != nil || why == "" {
		return nil, err
	}
	return []Mended{{Path: d.path, Why: why}}, nil
}

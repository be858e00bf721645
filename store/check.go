package store

import (
	"context"
	"errors"
	"fmt"
)

// Check reads all of the open database and fails where Inspect would find it anything but sound, or an event has lost what it carries.
// What else the folders of attempts contradict, Repair finds.
func (d *DB) Check(ctx context.Context) error {
	health, why, err := inspect(ctx, d.r)
	if err == nil && health == HealthSound {
		why, err = firstText(ctx, d.r, bareEvent)
	}
	if err == nil && why != "" {
		err = errors.New(why)
	}
	if err != nil {
		return fmt.Errorf("check database %s: %w", d.path, err)
	}
	return nil
}

// bareEvent names an event without what its kind carries, which is written at the same moment: a disk that lied about its syncs has kept
// some pages of that moment and lost others. SQLite finds it sound.
const bareEvent = `SELECT 'event ' || seq || ' (' || kind || ') of attempt ' || trial_id || '/' || number || ' has lost its data'
	FROM events e JOIN attempts a ON a.id = e.attempt_id
	WHERE NOT CASE kind
		WHEN 'started' THEN EXISTS (SELECT 1 FROM environments f WHERE f.attempt_id = e.attempt_id AND f.seq = e.seq)
		WHEN 'predicted' THEN EXISTS (SELECT 1 FROM predictions f WHERE f.attempt_id = e.attempt_id AND f.seq = e.seq)
		WHEN 'point' THEN EXISTS (SELECT 1 FROM points f WHERE f.attempt_id = e.attempt_id AND f.seq = e.seq)
		WHEN 'eval' THEN EXISTS (SELECT 1 FROM evaluations f WHERE f.attempt_id = e.attempt_id AND f.seq = e.seq)
		WHEN 'memory' THEN EXISTS (SELECT 1 FROM memory_peaks f WHERE f.attempt_id = e.attempt_id AND f.seq = e.seq)
		WHEN 'screened' THEN EXISTS (SELECT 1 FROM screened_losses f WHERE f.attempt_id = e.attempt_id AND f.seq = e.seq)
		WHEN 'updates' THEN EXISTS (SELECT 1 FROM module_updates f WHERE f.attempt_id = e.attempt_id AND f.seq = e.seq)
		WHEN 'ended' THEN EXISTS (SELECT 1 FROM outcomes f WHERE f.attempt_id = e.attempt_id AND f.seq = e.seq)
		ELSE true END
	LIMIT 1`

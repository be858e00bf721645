package store

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"

	"github.com/ranksweep/ranksweep/sweep"
)

// Refresh brings a snapshot up to date, at the cost of what changed. A trial's facts change by its attempts alone: by new ones, whose
// rows have larger numbers than all before, removed ones too, and by events of those without an outcome, after which there are none; and
// by a person who asks to retry it.
func (d *DB) Refresh(ctx context.Context, s sweep.Snapshot, anew ...int) (sweep.Snapshot, error) {
	if len(s.Ladders) == 0 {
		return d.Snapshot(ctx, s.Sweep.ID)
	}
	next := sweep.Snapshot{Ladders: slices.Clone(s.Ladders)}
	err := d.read(ctx, func(tx *sql.Tx) (err error) {
		if next.Sweep, err = selectSweep(ctx, tx, s.Sweep.ID); err != nil {
			return err
		}
		changed, err := changedLadders(ctx, tx, s)
		if err != nil {
			return err
		}
		if err := readAnew(ctx, tx, next, slices.Concat(changed, anew)); err != nil {
			return err
		}
		next.CountTokens()
		next.Seen, err = seenAfter(ctx, tx, s.Seen)
		return err
	})
	if err != nil {
		return sweep.Snapshot{}, fmt.Errorf("refresh the snapshot of sweep %d: %w", s.Sweep.ID, err)
	}
	return next, nil
}

// Current brings a snapshot up to date of which no trial may have been added unseen, as another coordinator of the sweep may have until its
// lease was taken over.
func (d *DB) Current(ctx context.Context, s sweep.Snapshot) (sweep.Snapshot, error) {
	known := 0
	s.Each(func(*sweep.Ladder, int, *sweep.TrialFacts) { known++ })
	var there int
	err := d.read(ctx, func(tx *sql.Tx) (err error) {
		there, err = wholeSweep(s.Sweep.ID).count(ctx, tx)
		return err
	})
	switch {
	case err != nil:
		return sweep.Snapshot{}, fmt.Errorf("count the trials of sweep %d: %w", s.Sweep.ID, err)
	case there != known:
		return d.Snapshot(ctx, s.Sweep.ID)
	}
	return d.Refresh(ctx, s)
}

// attemptsSince yields the attempts that were begun, or had no outcome, when facts were last read.
const attemptsSince = `(SELECT id, trial_id FROM attempts WHERE id > ?1
	UNION ALL SELECT id, trial_id FROM attempts WHERE id IN (SELECT value FROM json_each(?2)))`

// seenAfter is what was read by a transaction that read on from there.
func seenAfter(ctx context.Context, tx *sql.Tx, before sweep.Seen) (sweep.Seen, error) {
	open, err := encodeList(before.Open)
	if err != nil {
		return sweep.Seen{}, err
	}
	var seen sweep.Seen
	if err := tx.QueryRowContext(ctx, `SELECT ifnull(max(id), 0) FROM attempts`).Scan(&seen.Attempt); err != nil {
		return sweep.Seen{}, err
	}
	rows, err := tx.QueryContext(ctx, `SELECT a.id FROM `+attemptsSince+` a LEFT JOIN outcomes o ON o.attempt_id = a.id
		WHERE o.attempt_id IS NULL ORDER BY a.id`, before.Attempt, open)
	err = each(rows, err, func(rows *sql.Rows) error {
		var id int64
		err := rows.Scan(&id)
		seen.Open = append(seen.Open, id)
		return err
	})
	return seen, err
}

// changedLadders lists the positions of the ladders that hold a trial of which facts may have changed.
func changedLadders(ctx context.Context, tx *sql.Tx, s sweep.Snapshot) ([]int, error) {
	open, err := encodeList(s.Seen.Open)
	if err != nil {
		return nil, err
	}
	var places []string
	for _, table := range placeTables() { // CROSS JOIN keeps SQLite from going through all of the sweep's trials instead
		for _, changed := range []string{attemptsSince, `(SELECT trial_id FROM requests WHERE id > ?4 AND sweep_id = ?3)`} {
			places = append(places, `SELECT l.position FROM `+changed+` a CROSS JOIN `+table+` lt ON lt.trial_id = a.trial_id
				CROSS JOIN ladders l ON l.id = lt.ladder_id WHERE l.sweep_id = ?3`)
		}
	}
	var positions []int
	rows, err := tx.QueryContext(ctx, strings.Join(places, ` UNION `), s.Seen.Attempt, open, s.Sweep.ID, s.Sweep.Asked.Last)
	err = each(rows, err, func(rows *sql.Rows) error {
		var position int
		err := rows.Scan(&position)
		positions = append(positions, position)
		return err
	})
	return positions, err
}

// readAnew replaces ladders of a snapshot, given by their positions, by what is known of them now.
func readAnew(ctx context.Context, tx *sql.Tx, s sweep.Snapshot, positions []int) error {
	if len(positions) == 0 {
		return nil
	}
	list, err := encode(positions)
	if err != nil {
		return err
	}
	of := part{`l.sweep_id = ?1 AND l.position IN (SELECT value FROM json_each(?2))`, []any{s.Sweep.ID, list}, true}
	if len(s.Ladders) == 1 { // a list costs more than its one ladder
		of = wholeSweep(s.Sweep.ID)
		of.few = true
	}
	fresh := sweep.Snapshot{Sweep: s.Sweep}
	for _, i := range slices.Compact(slices.Sorted(slices.Values(positions))) {
		l := s.Ladders[i]
		l.Rungs, l.Scouts, l.Reference = nil, nil, nil
		fresh.Ladders = append(fresh.Ladders, l)
	}
	byID := map[int64]*sweep.Ladder{}
	for i := range fresh.Ladders {
		byID[fresh.Ladders[i].ID] = &fresh.Ladders[i]
	}
	if err := readTrials(ctx, tx, byID, s.Sweep, of); err != nil {
		return err
	}
	if err := readLadderFacts(ctx, tx, fresh, of); err != nil {
		return err
	}
	if err := readRetried(ctx, tx, fresh); err != nil {
		return err
	}
	fresh.Reopen()
	for _, l := range fresh.Ladders {
		s.Ladders[l.Index] = l
	}
	return nil
}

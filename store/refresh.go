package store

import (
	"context"
	"database/sql"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/trial"
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
		var attempts []int64
		if next.Seen, attempts, err = readNews(ctx, tx, s.Seen); err != nil {
			return err
		}
		changed, err := changedTrials(ctx, tx, s, attempts)
		if err != nil {
			return err
		}
		anew := slices.Clone(anew)
		for i, trials := range changed {
			if !holds(s.Ladders[i], trials) {
				anew = append(anew, i)
			}
		}
		for _, i := range anew {
			delete(changed, i)
		}
		if err := readChanged(ctx, tx, next, changed); err != nil {
			return err
		}
		if err := readAnew(ctx, tx, next, anew); err != nil {
			return err
		}
		next.CountTokens()
		return nil
	})
	if err != nil {
		return sweep.Snapshot{}, fmt.Errorf("refresh the snapshot of sweep %d: %w", s.Sweep.ID, err)
	}
	if next.Sweep.Name != s.Sweep.Name { // all attempts that it launched say so
		return d.Snapshot(ctx, s.Sweep.ID)
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

// seenFirst is what was read by a transaction that has read all.
func seenFirst(ctx context.Context, tx *sql.Tx) (sweep.Seen, error) {
	var seen sweep.Seen
	if err := tx.QueryRowContext(ctx, `SELECT ifnull(max(id), 0) FROM attempts`).Scan(&seen.Attempt); err != nil {
		return sweep.Seen{}, err
	}
	rows, err := tx.QueryContext(ctx, `SELECT a.id, ifnull((SELECT max(seq) FROM events WHERE attempt_id = a.id), 0)
		FROM attempts a LEFT JOIN outcomes o ON o.attempt_id = a.id WHERE o.attempt_id IS NULL`)
	err = each(rows, err, func(rows *sql.Rows) error {
		var id, seq int64
		err := rows.Scan(&id, &seq)
		keepOpen(&seen, id, seq)
		return err
	})
	return seen, err
}

func keepOpen(s *sweep.Seen, attempt, seq int64) {
	if s.Open == nil {
		s.Open = map[int64]int64{}
	}
	s.Open[attempt] = seq
}

// readNews is what was read by a transaction that reads on from there, and the attempts of which facts may have changed since.
func readNews(ctx context.Context, tx *sql.Tx, before sweep.Seen) (seen sweep.Seen, changed []int64, err error) {
	open, err := encodeList(slices.Sorted(maps.Keys(before.Open)))
	if err != nil {
		return seen, nil, err
	}
	// No attempt without an outcome is read in full: the subqueries are look-ups.
	rows, err := tx.QueryContext(ctx, `SELECT a.id, ifnull((SELECT max(seq) FROM events WHERE attempt_id = a.id), 0),
			EXISTS (SELECT 1 FROM outcomes WHERE attempt_id = a.id)
		FROM (SELECT id FROM attempts WHERE id > ?1
			UNION ALL SELECT a.id FROM json_each(?2) o CROSS JOIN attempts a ON a.id = o.value) a`, before.Attempt, open)
	seen.Attempt = before.Attempt
	err = each(rows, err, func(rows *sql.Rows) error {
		var id, seq int64
		var over bool
		if err := rows.Scan(&id, &seq, &over); err != nil {
			return err
		}
		if last, known := before.Open[id]; !known || seq > last {
			changed = append(changed, id)
		}
		if seen.Attempt = max(seen.Attempt, id); !over {
			keepOpen(&seen, id, seq)
		}
		return nil
	})
	return seen, changed, err
}

// holds reports whether the ladder has all of these trials; one that another coordinator has added it lacks.
func holds(l sweep.Ladder, trials map[trial.ID]bool) bool {
	missing := maps.Clone(trials)
	l.Each(func(_ int, t *sweep.TrialFacts) { delete(missing, t.Trial.ID) })
	return len(missing) == 0
}

// changedTrials lists the trials of which facts may have changed by the positions of the ladders that hold them.
func changedTrials(ctx context.Context, tx *sql.Tx, s sweep.Snapshot, attempts []int64) (map[int]map[trial.ID]bool, error) {
	list, err := encodeList(attempts)
	if err != nil {
		return nil, err
	}
	var places []string
	for _, table := range placeTables() { // CROSS JOIN keeps SQLite from going through all of the sweep's trials instead
		for _, changed := range []string{
			`(SELECT trial_id FROM json_each(?1) c CROSS JOIN attempts a ON a.id = c.value)`,
			`(SELECT trial_id FROM requests WHERE id > ?3 AND sweep_id = ?2)`,
		} {
			places = append(places, `SELECT l.position, lt.trial_id FROM `+changed+` a CROSS JOIN `+table+` lt ON lt.trial_id = a.trial_id
				CROSS JOIN ladders l ON l.id = lt.ladder_id WHERE l.sweep_id = ?2`)
		}
	}
	trials := map[int]map[trial.ID]bool{}
	rows, err := tx.QueryContext(ctx, strings.Join(places, ` UNION `), list, s.Sweep.ID, s.Sweep.Asked.Last)
	err = each(rows, err, func(rows *sql.Rows) error {
		var position int
		var id trial.ID
		err := rows.Scan(&position, &id)
		if trials[position] == nil {
			trials[position] = map[trial.ID]bool{}
		}
		trials[position][id] = true
		return err
	})
	return trials, err
}

// readChanged replaces trials of a snapshot, by the positions of their ladders, by what is known of them now.
func readChanged(ctx context.Context, tx *sql.Tx, s sweep.Snapshot, changed map[int]map[trial.ID]bool) error {
	var places []*sweep.TrialFacts
	ids := map[trial.ID]bool{}
	for position, trials := range changed {
		l := &s.Ladders[position]
		l.Rungs = slices.Clone(l.Rungs) // the facts that were known stay as they are
		for i := range l.Rungs {
			l.Rungs[i].Trials = slices.Clone(l.Rungs[i].Trials)
		}
		l.Scouts, l.Reference = slices.Clone(l.Scouts), slices.Clone(l.Reference)
		l.Each(func(_ int, t *sweep.TrialFacts) {
			if trials[t.Trial.ID] {
				*t, ids[t.Trial.ID] = sweep.TrialFacts{Trial: t.Trial, Candidate: t.Candidate, Extra: t.Extra}, true
				places = append(places, t)
			}
		})
	}
	list, err := encodeList(slices.Sorted(maps.Keys(ids)))
	if err != nil || len(ids) == 0 {
		return err
	}
	if err := readTrialFacts(ctx, tx, places, `a.trial_id IN (SELECT value FROM json_each(?1))`, list); err != nil {
		return err
	}
	retried, err := readRetried(ctx, tx, s.Sweep.ID)
	for _, t := range places {
		t.Retried = retried[t.Trial.ID]
		t.Reopen(s.Sweep)
	}
	return err
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
	if err := readFactsOf(ctx, tx, fresh, of); err != nil {
		return err
	}
	for _, l := range fresh.Ladders {
		s.Ladders[l.Index] = l
	}
	return nil
}

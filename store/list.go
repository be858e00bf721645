package store

import (
	"context"
	"database/sql"
	"fmt"
	"strings"

	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/plateau"
)

// Summary is one line about a sweep: counts of what its facts say.
type Summary struct {
	sweep.Info
	Ladders int
	Trials  int // planned, over all ranks, with scouts and references: a plateau leaves some of them pending. Of a scout alone, its own
	Done    int // with a result
	Failed  int // failed for good: one of the grid leaves its ladder incomplete, an extra seed or a reference does not
	NoLoss  int // ended without a loss otherwise, with which a ladder has a verdict: unstable, over a limit
	Open    int // begun and not ended
	// Reference is how many trials of references are not over, though some may never be trained.
	Reference int
	Holder    *Session // the newest session; nil when there was none
	// Verdicts are the states that the ladders were found in, in grid order; StateRunning where this version of the plateau rule
	// recorded none, or where the sweep's wish to confirm came later.
	Verdicts []plateau.State
}

// List returns all sweeps, the oldest first. It looks at no event, and takes the verdicts as they were recorded.
func (d *DB) List(ctx context.Context) ([]Summary, error) {
	var list []Summary
	err := d.read(ctx, func(tx *sql.Tx) error {
		rows, err := tx.QueryContext(ctx, selectInfo+` ORDER BY s.created_ns, s.id`)
		err = each(rows, err, func(rows *sql.Rows) error {
			info, err := scanInfo(rows)
			list = append(list, Summary{Info: info})
			return err
		})
		if err != nil {
			return err
		}
		byID := make(map[int64]*Summary, len(list))
		for i := range list {
			byID[list[i].ID] = &list[i]
		}
		for _, read := range []func(context.Context, *sql.Tx, map[int64]*Summary) error{countTrials, readVerdicts, readHolders} {
			if err := read(ctx, tx, byID); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list sweeps: %w", err)
	}
	return list, nil
}

func countTrials(ctx context.Context, tx *sql.Tx, sweeps map[int64]*Summary) error {
	rows, err := tx.QueryContext(ctx, withViews("seen_attempts", "trial_states")+`
		SELECT t.sweep_id, t.state, t.kind = 'reference', count(*) FROM trial_states t JOIN sweeps s ON s.id = t.sweep_id
		WHERE s.strategy <> ? OR t.kind = 'scout' GROUP BY 1, 2, 3`, sweep.StrategyCurve)
	return each(rows, err, func(rows *sql.Rows) error {
		var id int64
		var state sweep.TrialState
		var reference bool
		var n int
		if err := rows.Scan(&id, &state, &reference, &n); err != nil {
			return err
		}
		s := sweeps[id]
		s.Trials += n
		if reference && !state.Over() {
			s.Reference += n
		}
		switch {
		case state == sweep.TrialDone:
			s.Done += n
		case state == sweep.TrialFailed:
			s.Failed += n
		case state.Over():
			s.NoLoss += n
		case state != sweep.TrialPending:
			s.Open += n
		}
		return nil
	})
}

// withViews begins a statement with views of this program, whatever an earlier one left in a database that is only read.
func withViews(names ...string) string {
	var parts []string
	for _, name := range names {
		_, rest, _ := strings.Cut(views, "CREATE VIEW "+name+" AS\n")
		body, _, _ := strings.Cut(rest, ";\n")
		parts = append(parts, name+" AS NOT MATERIALIZED (\n"+body+")")
	}
	return "WITH " + strings.Join(parts, ", ")
}

func readVerdicts(ctx context.Context, tx *sql.Tx, sweeps map[int64]*Summary) error {
	rows, err := tx.QueryContext(ctx, `SELECT l.sweep_id, ifnull(v.verdict ->> '$.state', ?)
		FROM ladders l
		LEFT JOIN ladder_verdicts v ON v.id = (SELECT max(id) FROM ladder_verdicts WHERE ladder_id = l.id)
			AND v.rule_version = ? AND v.at_ns >= `+newestWish+`
		ORDER BY l.sweep_id, l.position`, plateau.StateRunning, plateau.Version)
	return each(rows, err, func(rows *sql.Rows) error {
		var id int64
		var state plateau.State
		if err := rows.Scan(&id, &state); err != nil {
			return err
		}
		s := sweeps[id]
		s.Ladders++
		s.Verdicts = append(s.Verdicts, state)
		return nil
	})
}

func readHolders(ctx context.Context, tx *sql.Tx, sweeps map[int64]*Summary) error {
	rows, err := tx.QueryContext(ctx, `SELECT sweep_id, `+sessionColumns+` FROM sessions
		WHERE id IN (SELECT max(id) FROM sessions GROUP BY sweep_id)`)
	return each(rows, err, func(rows *sql.Rows) error {
		var id int64
		holder, err := scanSession(rows, &id)
		if err != nil {
			return err
		}
		sweeps[id].Holder = holder
		return nil
	})
}

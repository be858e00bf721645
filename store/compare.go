package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Side says where a row is that only one of two databases has.
type Side string

// The sides of a Difference.
const (
	SideDatabase Side = "database" // the folders do not say it
	SideFolders  Side = "folders"  // the database lacks it
	SideBoth     Side = "both"     // they say something else of the same thing
)

// Difference is what the database and the attempts' folders do not agree on, of one attempt or sweep.
type Difference struct {
	About string // an attempt's id, or "sweep NAME"
	Side  Side
	Rows  int
	Table string // of the first
	Open  bool   // it is an attempt whose end the database does not know, as after a coordinator's crash: to resume takes it in
}

// Compare rebuilds a database of root's folders at scratch, a path where nothing is, and says where it differs from d, and what could not
// be read. Sessions, notices, recorded verdicts and when an attempt was begun are left out: folders do not have those of the last minutes.
func (d *DB) Compare(ctx context.Context, root, scratch string) (differences []Difference, losses []Loss, err error) {
	if losses, err = Rebuild(ctx, root, scratch); err != nil {
		return nil, losses, err
	}
	conn, err := d.r.Conn(ctx)
	if err != nil {
		return nil, losses, err
	}
	defer conn.Close() //nolint:errcheck // it was only read
	if _, err := conn.ExecContext(ctx, `ATTACH ? AS folders`, scratch); err != nil {
		return nil, losses, fmt.Errorf("compare with the folders: %w", err)
	}
	defer func() {
		_, detached := conn.ExecContext(context.WithoutCancel(ctx), `DETACH folders`)
		err = errors.Join(err, detached)
	}()
	tx, err := conn.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return nil, losses, err
	}
	defer tx.Rollback() //nolint:errcheck // nothing was written
	tables, err := tableColumns(ctx, tx)
	if err != nil {
		return nil, losses, err
	}
	found := map[string]Difference{}
	for _, t := range tables {
		if slices.Contains([]string{"sessions", "notices", "ladder_verdicts"}, t.Table) {
			continue
		}
		if err := compareTable(ctx, tx, t, found); err != nil {
			return nil, losses, fmt.Errorf("compare table %s with the folders: %w", t.Table, err)
		}
	}
	if err := compareSchema(ctx, tx, found); err != nil {
		return nil, losses, err
	}
	if err := believe(ctx, tx, found); err != nil {
		return nil, losses, err
	}
	for _, about := range slices.Sorted(maps.Keys(found)) {
		diff := found[about]
		if diff.Side == SideFolders {
			err := tx.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM folders.attempts WHERE trial_id || '/' || number = ?1)
				AND NOT EXISTS (SELECT 1 FROM main.attempts a JOIN main.outcomes o ON o.attempt_id = a.id WHERE a.trial_id || '/' || a.number = ?1)`,
				diff.About).Scan(&diff.Open)
			if err != nil {
				return nil, losses, err
			}
		}
		differences = append(differences, diff)
	}
	return differences, losses, nil
}

// aboutSchema is what a Difference of tables and views is about.
const aboutSchema = "the database's own tables and views"

// OfAttempt reports whether it is about an attempt, of which the folder has the worker's own sealed words.
func (d Difference) OfAttempt() bool {
	id, _, attempt := strings.Cut(d.About, "/")
	return attempt && trialName.MatchString(id)
}

// believe takes the database's word for its sweeps: their record in the folders is as old as the last attempt, and what was renamed,
// asked, extended or removed since then is not in it. A sweep that the database lacks is told by its record.
func believe(ctx context.Context, tx *sql.Tx, found map[string]Difference) error {
	lacking := map[string]bool{}
	list, err := tx.QueryContext(ctx, `SELECT name FROM folders.sweeps
		WHERE created_ns NOT IN (SELECT created_ns FROM main.sweeps) AND name NOT IN (SELECT name FROM main.sweeps)`)
	err = each(list, err, func(r *sql.Rows) error {
		var name string
		err := r.Scan(&name)
		lacking[name] = true
		return err
	})
	if err != nil {
		return err
	}
	for key, diff := range found {
		switch {
		case diff.OfAttempt() || diff.About == aboutSchema || diff.Side == SideDatabase:
		case diff.Side == SideBoth:
			diff.Side = SideDatabase
			found[key] = diff
		default:
			name, _, _ := strings.Cut(strings.TrimPrefix(diff.About, "sweep "), " ladder ")
			if !lacking[name] && (len(lacking) == 0 || strings.HasPrefix(diff.About, "sweep ")) {
				delete(found, key)
			}
		}
	}
	return nil
}

// compareSchema compares tables and views, where both databases have those of one program. A person may have added some.
func compareSchema(ctx context.Context, tx *sql.Tx, found map[string]Difference) error {
	var mine, theirs uint32
	if err := tx.QueryRowContext(ctx, `PRAGMA main.user_version`).Scan(&mine); err != nil {
		return err
	}
	if err := tx.QueryRowContext(ctx, `PRAGMA folders.user_version`).Scan(&theirs); err != nil || mine != theirs {
		return err
	}
	const schema = `.sqlite_schema WHERE name NOT LIKE 'sqlite\_%' ESCAPE '\' AND name <> 'goose_db_version'`
	var n int
	err := tx.QueryRowContext(ctx, `SELECT count(*) FROM (SELECT name, sql FROM folders`+schema+`
		EXCEPT SELECT name, sql FROM main`+schema+`)`).Scan(&n)
	if err == nil && n > 0 {
		found["schema"] = Difference{About: aboutSchema, Side: SideBoth, Rows: n, Table: "sqlite_schema"}
	}
	return err
}

// compareTable counts the rows that only one database has, by what they are about. Two of one key are one thing of which they differ.
func compareTable(ctx context.Context, tx *sql.Tx, t rows, found map[string]Difference) error {
	only := map[Side]map[string]string{SideDatabase: {}, SideFolders: {}}
	for side, order := range map[Side][2]string{SideDatabase: {"main", "folders"}, SideFolders: {"folders", "main"}} {
		list, err := tx.QueryContext(ctx, projection(t, order[0])+` EXCEPT `+projection(t, order[1]))
		err = each(list, err, func(r *sql.Rows) error {
			values := make([]sql.NullString, len(t.Columns)+2)
			fields := make([]any, len(values))
			for i := range values {
				fields[i] = &values[i]
			}
			if err := r.Scan(fields...); err != nil {
				return err
			}
			only[side][values[1].String] = values[0].String
			return nil
		})
		if err != nil {
			return err
		}
	}
	other := map[Side]Side{SideDatabase: SideFolders, SideFolders: SideDatabase}
	for side, list := range only {
		for key, about := range list {
			at := side
			if _, both := only[other[side]][key]; both && side == SideFolders {
				continue // counted
			} else if both {
				at = SideBoth
			}
			d, known := found[about+string(at)]
			if !known {
				d = Difference{About: about, Side: at, Table: t.Table}
			}
			d.Rows++
			found[about+string(at)] = d
		}
	}
	return nil
}

// projection selects the rows of a table in words that mean the same in every database, where ids do not: what each is about, its key, and
// all of its columns.
func projection(t rows, schema string) string {
	attempt := `(SELECT a.trial_id || '/' || a.number FROM ` + schema + `.attempts a WHERE a.id = t.` + columnAttempt + `)`
	ladder := `(SELECT 'sweep ' || s.name || ' ladder ' || l.position FROM ` + schema + `.ladders l JOIN ` + schema +
		`.sweeps s ON s.id = l.sweep_id WHERE l.id = t.` + columnLadder + `)`
	sweep := `(SELECT 'sweep ' || s.name FROM ` + schema + `.sweeps s WHERE s.id = t.` + columnSweep + `)`
	about := `'the table ` + t.Table + `'`
	var columns, key []string
	for _, c := range t.Columns {
		value := `t.` + quote(c)
		switch {
		case c == columnAttempt:
			value, about = attempt, attempt
		case c == columnLadder:
			value, about = ladder, ladder
		case c == columnSweep && t.Table == "attempts":
			value = `NULL` // a folder tells the name that its sweep had then
		case c == columnSweep:
			value, about = sweep, sweep
		case c == "id" && t.Table != "trial_specs", c == "session_id", c == "intended_ns", c == "assignment":
			value = `NULL` // the folder's assignment says also where it ran, and the sweep's former names
		}
		columns = append(columns, value)
		if isKey(t.Table, c) {
			key = append(key, `ifnull(`+value+`, '')`)
		}
	}
	switch t.Table {
	case "sweeps":
		about = `'sweep ' || t.name`
	case "attempts":
		about = `t.trial_id || '/' || t.number`
	case "trial_specs":
		about = `'trial ' || t.id`
	}
	if len(key) == 0 {
		for _, c := range columns {
			key = append(key, `ifnull(`+c+`, '')`)
		}
	}
	return `SELECT ` + about + `, '` + t.Table + ` ' || ` + strings.Join(key, ` || ' ' || `) + `, ` + strings.Join(columns, `, `) +
		` FROM ` + schema + `.` + t.Table + ` t`
}

// isKey reports whether a column says which row of its table it is, of the tables of which rows may differ.
func isKey(table, column string) bool {
	switch table {
	case "sweeps":
		return column == "name"
	case "ladders":
		return column == columnSweep || column == "position"
	case "attempts":
		return column == columnTrial || column == "number"
	case "trial_specs":
		return column == "id"
	case "module_updates":
		return column == columnAttempt || column == "seq" || column == "module"
	case "registrations":
		return column == columnSweep
	}
	return column == columnAttempt || column == "seq"
}

package store

import (
	"bytes"
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/ranksweep/ranksweep/sweep"
)

// Record is all that the database knows of a sweep beside its attempts and their events, as rows: a sweep can be put together again from
// its record and its attempts' folders. Tables that are added to the schema are part of it by their columns.
type Record struct {
	Schema  int64     `json:"schema"`           // of the database it was taken from
	Name    string    `json:"name"`             // of the sweep
	Former  []string  `json:"former,omitempty"` // names it had before
	Created int64     `json:"created_ns"`       // tells sweeps apart: a name may change
	At      time.Time `json:"at"`               // when it was taken
	Tables  []rows    `json:"tables"`
}

// rows are rows of a table.
type rows struct {
	Table   string   `json:"table"`
	Columns []string `json:"columns"`
	Rows    [][]any  `json:"rows"`
}

// scope says which rows of a table are a sweep's, as a condition on ?1, its id.
type scope struct {
	table string
	of    string
}

// The columns that say what a row is about.
const (
	columnSweep   = "sweep_id"
	columnLadder  = "ladder_id"
	columnTrial   = "trial_id"
	columnAttempt = "attempt_id"
)

// ofSweep is the scope of rows that name their sweep.
const ofSweep = `sweep_id = ?1`

// scopes lists the tables with rows of a sweep. What attempts said is not among them: their folders have it.
func scopes(ctx context.Context, tx *sql.Tx) ([]scope, error) {
	const ladders = `SELECT id FROM ladders WHERE sweep_id = ?1`
	var places []string
	for _, table := range placeTables() {
		places = append(places, `SELECT trial_id FROM `+table+` WHERE ladder_id IN (`+ladders+`)`)
	}
	trials := strings.Join(places, ` UNION `)
	list := []scope{{"sweeps", `id = ?1`}, {"trial_specs", `id IN (` + trials + `)`}}
	columns, err := tableColumns(ctx, tx)
	if err != nil {
		return nil, err
	}
	for _, t := range columns {
		has := func(column string) bool { return slices.Contains(t.Columns, column) }
		switch {
		case has(columnAttempt), t.Table == "attempts":
		case has(columnSweep):
			list = append(list, scope{t.Table, ofSweep})
		case has(columnLadder):
			list = append(list, scope{t.Table, `ladder_id IN (` + ladders + `)`})
		case has(columnTrial):
			list = append(list, scope{t.Table, `trial_id IN (` + trials + `)`})
		}
	}
	return list, nil
}

// tableColumns lists the tables that hold facts, with their columns.
func tableColumns(ctx context.Context, tx *sql.Tx) ([]rows, error) {
	var tables []rows
	list, err := tx.QueryContext(ctx, `SELECT m.name, c.name FROM sqlite_schema m JOIN pragma_table_info(m.name) c
		WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite\_%' ESCAPE '\' AND m.name <> 'goose_db_version' ORDER BY m.name, c.cid`)
	err = each(list, err, func(r *sql.Rows) error {
		var table, column string
		if err := r.Scan(&table, &column); err != nil {
			return err
		}
		if n := len(tables); n == 0 || tables[n-1].Table != table {
			tables = append(tables, rows{Table: table})
		}
		last := &tables[len(tables)-1]
		last.Columns = append(last.Columns, column)
		return nil
	})
	return tables, err
}

// writeRecord writes what is known of a sweep beside its attempts as the JSON of a Record, a row at a time: those of a large sweep take
// hundreds of megabytes. Its head is r.
func (d *DB) writeRecord(ctx context.Context, w io.Writer, r Record, sweepID int64) error {
	head, err := json.Marshal(r)
	if err != nil {
		return err
	}
	head, tables := bytes.CutSuffix(head, []byte(`null}`)) // of Tables, the last field
	if !tables {
		return fmt.Errorf("the head of the record ends with %q", head)
	}
	return d.read(ctx, func(tx *sql.Tx) error {
		list, err := scopes(ctx, tx)
		if err != nil {
			return err
		}
		if _, err := w.Write(append(head, '[')); err != nil {
			return err
		}
		separator := ""
		for _, s := range list {
			written, err := writeRows(ctx, tx, w, s, sweepID, separator)
			if err != nil {
				return fmt.Errorf("table %s: %w", s.table, err)
			}
			if written {
				separator = ","
			}
		}
		_, err = io.WriteString(w, "]}\n")
		return err
	})
}

// recordHead is a sweep's Record without its tables.
func (d *DB) recordHead(ctx context.Context, sweepID int64) (r Record, err error) {
	if r.Schema, err = schemaVersion(); err != nil {
		return r, err
	}
	err = d.r.QueryRowContext(ctx, `SELECT name, created_ns FROM sweeps WHERE id = ?`, sweepID).Scan(&r.Name, &r.Created)
	if errors.Is(err, sql.ErrNoRows) {
		err = sweep.ErrNotFound
	}
	if err != nil {
		return r, fmt.Errorf("record of sweep %d: %w", sweepID, err)
	}
	return r, nil
}

// writeRows writes a sweep's rows of a table, after the separator, or nothing where there are none.
func writeRows(ctx context.Context, tx *sql.Tx, w io.Writer, s scope, sweepID int64, separator string) (written bool, err error) {
	list, err := tx.QueryContext(ctx, `SELECT * FROM `+s.table+` WHERE `+s.of, sweepID)
	var columns []string
	if err == nil {
		columns, err = list.Columns()
	}
	err = each(list, err, func(r *sql.Rows) error {
		values := make([]any, len(columns))
		fields := make([]any, len(values))
		for i := range values {
			fields[i] = &values[i]
		}
		if err := r.Scan(fields...); err != nil {
			return err
		}
		for i, v := range values {
			if text, ok := v.([]byte); ok {
				values[i] = string(text)
			}
		}
		row, err := json.Marshal(values)
		if err != nil {
			return err
		}
		before := ","
		if !written {
			names, err := json.Marshal(columns)
			if err != nil {
				return err
			}
			before = fmt.Sprintf(`%s{"table":%q,"columns":%s,"rows":[`, separator, s.table, names)
		}
		written = true
		_, err = w.Write(append([]byte(before), row...))
		return err
	})
	if err == nil && written {
		_, err = io.WriteString(w, "]}")
	}
	return written, err
}

// Mark changes whenever a person asked something of a sweep, or its record has another row more than those of its ladders, which only its
// coordinator adds. It is asked for at each launch, so it looks at nothing that grows with the trials.
func (d *DB) Mark(ctx context.Context, sweepID int64) (mark string, err error) {
	err = d.read(ctx, func(tx *sql.Tx) error {
		list, err := scopes(ctx, tx)
		if err != nil {
			return err
		}
		counts := []string{`SELECT grid_hash AS n FROM sweeps WHERE id = ?1`}
		for _, s := range list {
			if s.of == ofSweep && s.table != "sessions" {
				counts = append(counts, `SELECT '`+s.table+`' || count(*) FROM `+s.table+` WHERE `+s.of)
			}
		}
		return tx.QueryRowContext(ctx, `SELECT group_concat(n, ' ') FROM (`+strings.Join(counts, ` UNION ALL `)+`)`, sweepID).Scan(&mark)
	})
	if err != nil {
		return "", fmt.Errorf("record of sweep %d: %w", sweepID, err)
	}
	return mark, nil
}

// restore writes a record's rows. Its sweep and ladders keep their ids where those are free. Trials that are there already stay as they
// are.
func restore(ctx context.Context, tx *sql.Tx, r Record) error {
	newest, err := schemaVersion()
	if err != nil {
		return err
	}
	if r.Schema > newest {
		return fmt.Errorf("it is of schema %d, this program knows up to %d: use a newer sweep", r.Schema, newest)
	}
	if _, err := tx.ExecContext(ctx, `PRAGMA defer_foreign_keys = ON`); err != nil {
		return err
	}
	r.sort()
	ids := map[string]map[any]any{}
	for column, table := range referred() {
		ids[column] = map[any]any{}
		if err := freeIDs(ctx, tx, table, r.table(table), ids[column]); err != nil {
			return err
		}
	}
	for _, t := range r.Tables {
		for _, row := range t.Rows {
			if err := insertRow(ctx, tx, t, row, ids); err != nil {
				return fmt.Errorf("table %s: %w", t.Table, err)
			}
		}
	}
	return nil
}

// sort puts the rows that have a number in its order: SQLite wrote them in that of the index that it found them by.
func (r Record) sort() {
	for _, t := range r.Tables {
		if column := slices.Index(t.Columns, "id"); column >= 0 {
			slices.SortStableFunc(t.Rows, func(a, b []any) int {
				x, _ := a[column].(int64) // a trial's is text: they stay as they are
				y, _ := b[column].(int64)
				return cmp.Compare(x, y)
			})
		}
	}
}

// referred names the tables whose rows others name by a number, by the column that does so.
func referred() map[string]string {
	return map[string]string{columnSweep: "sweeps", columnLadder: "ladders", "session_id": "sessions"}
}

func namedBy(table string) string {
	for column, of := range referred() {
		if of == table {
			return column
		}
	}
	return ""
}

// table returns the record's rows of a table.
func (r Record) table(name string) rows {
	i := slices.IndexFunc(r.Tables, func(t rows) bool { return t.Table == name })
	if i < 0 {
		return rows{}
	}
	return r.Tables[i]
}

// freeIDs fills in under which id each row of a table is written: its own, or where one of them is taken, all anew in their order, which of
// sessions says which is the newest.
func freeIDs(ctx context.Context, tx *sql.Tx, table string, t rows, ids map[any]any) error {
	column := slices.Index(t.Columns, "id")
	if column < 0 && len(t.Rows) > 0 {
		return fmt.Errorf("table %s of the record has no ids", table)
	}
	var last int64
	if err := tx.QueryRowContext(ctx, `SELECT ifnull(max(id), 0) FROM `+table).Scan(&last); err != nil {
		return err
	}
	for _, row := range t.Rows {
		id, ok := row[column].(int64)
		if !ok {
			return fmt.Errorf("table %s of the record: %v is no id", table, row[column])
		}
		ids[id] = id
		last = max(last, id)
	}
	clash := false
	for id := range ids {
		var taken bool
		if err := tx.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM `+table+` WHERE id = ?)`, id).Scan(&taken); err != nil {
			return err
		}
		clash = clash || taken
	}
	for i, row := range t.Rows {
		if clash {
			ids[row[column]] = last + int64(i) + 1
		}
	}
	return nil
}

func insertRow(ctx context.Context, tx *sql.Tx, t rows, row []any, ids map[string]map[any]any) error {
	var columns []string
	var values []any
	for i, column := range t.Columns {
		value := row[i]
		switch {
		case column == "id" && t.Table == "trial_specs":
		case column == "id":
			named := namedBy(t.Table)
			if named == "" {
				continue // a number that nothing names is given anew, in their order
			}
			value = ids[named][value]
		case ids[column] != nil && value != nil:
			value = ids[column][value]
		}
		columns, values = append(columns, column), append(values, value)
	}
	// What a row shares with other sweeps is there already.
	_, err := tx.ExecContext(ctx, `INSERT INTO `+quote(t.Table)+` (`+quote(columns...)+`) VALUES (?`+strings.Repeat(", ?", len(columns)-1)+`)`+
		map[bool]string{true: ` ON CONFLICT DO NOTHING`}[!slices.Contains([]string{"sweeps", "ladders"}, t.Table)], values...)
	return err
}

// quote makes a list of names out of names that a file says.
func quote(names ...string) string {
	quoted := make([]string, len(names))
	for i, n := range names {
		quoted[i] = `"` + strings.ReplaceAll(n, `"`, `""`) + `"`
	}
	return strings.Join(quoted, ", ")
}

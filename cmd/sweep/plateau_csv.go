package main

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"

	"github.com/ranksweep/ranksweep/sweep/plateau"
)

// lossRow is one line of a table of losses.
type lossRow struct {
	line   int
	fields []string
	rank   int
	seed   int64
	step   float64
	loss   float64
	train  float64
	empty  bool // has no value
	alone  bool // has no train_loss
}

// lossTable reads a table of losses line by line and gathers what is wrong with it.
type lossTable struct {
	name    string
	want    lossWanted
	header  []string
	columns lossColumns
	commas  bool // a number may have a decimal comma
	rows    []lossRow
	errs    []error
	first   map[string]int // the line of the first value in each notation
	steps   bool           // a run has several steps
}

// lossWanted is what a user says about a table.
type lossWanted struct {
	column    string // of the values; empty to find it
	direction string // min or max; empty to tell by the column's name
	take      string // last or best: which of a run's steps counts
}

// lossLadder is the part of a table with one setting of everything else.
type lossLadder struct {
	settings []lossSetting // where the table has several ladders
	rungs    []plateau.Losses
}

type lossSetting struct{ column, value string }

// mostProblems ends the list of what is wrong with a file: the rest is more of the same.
const mostProblems = 20

// parseLosses reads a table of rungs, from CSV or from text with tabs or semicolons. Every problem is named by file and line.
func parseLosses(name string, r io.Reader, want lossWanted) (*lossTable, []lossLadder, error) {
	text, separator, err := readTable(name, r)
	if err != nil {
		return nil, nil, err
	}
	lines := csv.NewReader(bytes.NewReader(text))
	lines.Comma, lines.FieldsPerRecord = separator, -1
	lines.TrimLeadingSpace = separator != '\t' // which is space too
	t := &lossTable{name: name, want: want, commas: separator == ';', first: map[string]int{}}
	if err := t.read(lines); err != nil {
		return nil, nil, err
	}
	ladders := t.ladders()
	if len(t.errs) > 0 {
		return nil, nil, errors.Join(t.errs[:min(len(t.errs), mostProblems)]...)
	}
	if len(t.rows) == 0 {
		return nil, nil, fmt.Errorf("%s: no losses: want a header line rank,seed,val_loss and one line per rank and seed", name)
	}
	return t, ladders, nil
}

// read reads the header and the rows. The error is of a text that is no table; errors in rows are gathered.
func (t *lossTable) read(lines *csv.Reader) error {
	for len(t.errs) < mostProblems {
		fields, err := lines.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if bad, ok := errors.AsType[*csv.ParseError](err); ok {
			return fmt.Errorf("%s:%d:%d: %w", t.name, bad.Line, bad.Column, bad.Err)
		}
		if err != nil {
			return fmt.Errorf("read %s: %w", t.name, err)
		}
		line, _ := lines.FieldPos(0)
		switch {
		case strings.TrimSpace(strings.Join(fields, "")) == "": // a spreadsheet's empty line
		case t.header == nil:
			t.header = fields
			if t.columns, err = findColumns(fields, t.want.column); err == nil {
				err = t.direct()
			}
			if err != nil {
				return fmt.Errorf("%s:%d: %w", t.name, line, err)
			}
		default:
			t.row(line, fields)
		}
	}
	return nil
}

// direct settles the direction.
func (t *lossTable) direct() error {
	if t.want.direction != "" {
		return nil
	}
	higher, certain := better(t.header[t.columns.value])
	if !certain {
		return fmt.Errorf("column %s: its name does not say whether higher values are better: add --direction max or --direction min", t.value())
	}
	t.want.direction = map[bool]string{false: "min", true: "max"}[higher]
	return nil
}

// value is the name of the values.
func (t *lossTable) value() string { return bare(t.header[t.columns.value]) }

// row reads one line, or says what is wrong with it.
func (t *lossTable) row(line int, fields []string) {
	if len(fields) != len(t.header) {
		t.fail(line, "%d fields, the header has %d", len(fields), len(t.header))
		return
	}
	before := len(t.errs)
	for i := range fields {
		fields[i] = strings.TrimSpace(fields[i])
	}
	r, c := lossRow{line: line, fields: fields, step: math.Inf(-1)}, t.columns
	rank, ok := t.whole(fields[c.rank])
	if r.rank = int(rank); !ok || r.rank < 1 {
		t.fail(line, "%s %q is not a whole number from 1 on", bare(t.header[c.rank]), fields[c.rank])
	}
	if c.seed >= 0 {
		if r.seed, ok = t.whole(fields[c.seed]); !ok {
			t.fail(line, "%s %q is not a whole number", bare(t.header[c.seed]), fields[c.seed])
		}
	}
	if r.empty = fields[c.value] == ""; !r.empty {
		r.loss = t.number(line, c.value, fields[c.value])
	}
	if r.alone = c.train < 0 || fields[c.train] == ""; !r.alone {
		r.train = t.number(line, c.train, fields[c.train])
	}
	if c.step >= 0 && fields[c.step] != "" {
		r.step = t.number(line, c.step, fields[c.step])
	}
	t.finished(line, fields)
	if len(t.errs) == before {
		t.rows = append(t.rows, r)
	}
}

// finished refuses a run that W&B says is not.
func (t *lossTable) finished(line int, fields []string) {
	if t.columns.state < 0 {
		return
	}
	switch state := strings.ToLower(fields[t.columns.state]); state {
	case "crashed", "failed", "killed", "running", "preempted", "preempting":
		t.fail(line, "the run is %s: leave out runs that are not finished", state)
	}
}

// whole reads a whole number, which tables with gaps write as 8.0.
func (t *lossTable) whole(field string) (int64, bool) {
	if n, err := strconv.ParseInt(field, 10, 64); err == nil {
		return n, true
	}
	const exact = 1 << 53 // beyond it floating-point numbers skip some
	x, err := strconv.ParseFloat(t.point(field), 64)
	return int64(x), err == nil && math.Abs(x) <= exact && x == math.Trunc(x)
}

// number reads a value. A percentage is a share: 71.2% is 0.712.
func (t *lossTable) number(line, column int, field string) float64 {
	digits, percent := strings.CutSuffix(field, "%")
	x, err := strconv.ParseFloat(t.point(strings.TrimSpace(digits)), 64)
	name := bare(t.header[column])
	switch {
	case err != nil && strings.Contains(field, ","):
		t.fail(line, "%s %q is not a number: write decimals with a point", name, field)
		return x
	case err != nil:
		t.fail(line, "%s %q is not a number", name, field)
		return x
	case math.IsNaN(x) || math.IsInf(x, 0):
		t.fail(line, "%s is %s: leave runs that diverged out", name, field)
		return x
	}
	if percent {
		x /= 100
	}
	if column == t.columns.value {
		t.sameNotation(line, field)
	}
	return x
}

// point writes a decimal comma as a point.
func (t *lossTable) point(field string) string {
	if t.commas && !strings.Contains(field, ".") {
		return strings.Replace(field, ",", ".", 1)
	}
	return field
}

// sameNotation refuses values of which some have a % sign and some have none, or some a decimal point and some a decimal comma: they
// would be read as numbers of different size.
func (t *lossTable) sameNotation(line int, field string) {
	percent := map[bool]string{true: "a % sign", false: "no % sign"}
	t.either(line, field, percent[strings.HasSuffix(field, "%")], percent[!strings.HasSuffix(field, "%")])
	if t.commas && strings.Contains(field, ",") {
		t.either(line, field, "a decimal comma", "a decimal point")
	} else if t.commas && strings.Contains(field, ".") {
		t.either(line, field, "a decimal point", "a decimal comma")
	}
}

// either refuses a value in one notation where a line before has the other.
func (t *lossTable) either(line int, field, has, other string) {
	if at := t.first[other]; at > 0 {
		t.fail(line, "%s %q has %s, and line %d has %s: write all values in one way", t.value(), field, has, at, other)
	} else if t.first[has] == 0 {
		t.first[has] = line
	}
}

func (t *lossTable) fail(line int, format string, args ...any) {
	t.errs = append(t.errs, fmt.Errorf("%s:%d: %w", t.name, line, fmt.Errorf(format, args...)))
}

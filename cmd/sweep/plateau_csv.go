package main

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/ranksweep/ranksweep/sweep/plateau"
)

// lossRow is one line of a table of losses.
type lossRow struct {
	line  int
	rank  int
	seed  int64
	loss  float64
	train float64
}

// lossTable reads a table of losses line by line and gathers what is wrong with it.
type lossTable struct {
	name    string
	columns map[string]int // by name; train_loss may be missing
	width   int
	rows    []lossRow
	errs    []error
}

// mostProblems ends the list of what is wrong with a file: the rest is more of the same.
const mostProblems = 20

// parseLosses reads rungs in ascending rank from a CSV table. Every problem is named by file and line.
func parseLosses(name string, r io.Reader) ([]plateau.Losses, error) {
	in := bufio.NewReader(r)
	if mark, err := in.Peek(3); err == nil && bytes.Equal(mark, []byte("\ufeff")) {
		_, _ = in.Discard(3) // spreadsheets put a byte order mark in front
	}
	lines := csv.NewReader(in)
	lines.TrimLeadingSpace, lines.FieldsPerRecord = true, -1
	t := lossTable{name: name}
	for len(t.errs) < mostProblems {
		fields, err := lines.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if bad, ok := errors.AsType[*csv.ParseError](err); ok {
			return nil, fmt.Errorf("%s:%d:%d: %w", name, bad.Line, bad.Column, bad.Err)
		}
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", name, err)
		}
		line, _ := lines.FieldPos(0)
		if t.columns == nil {
			if err := t.header(line, fields); err != nil {
				return nil, err
			}
			continue
		}
		t.row(line, fields)
	}
	if len(t.errs) > 0 {
		return nil, errors.Join(t.errs...)
	}
	if len(t.rows) == 0 {
		return nil, fmt.Errorf("%s: no losses: want a header line rank,seed,val_loss and one line per rank and seed", name)
	}
	return t.rungs(), nil
}

// header finds the columns.
func (t *lossTable) header(line int, fields []string) error {
	t.columns, t.width = map[string]int{}, len(fields)
	for i, field := range fields {
		name := strings.ToLower(strings.TrimSpace(field))
		if _, twice := t.columns[name]; twice {
			return fmt.Errorf("%s:%d: column %s appears twice", t.name, line, name)
		}
		t.columns[name] = i
	}
	for _, want := range []string{"rank", "seed", "val_loss"} {
		if _, ok := t.columns[want]; !ok {
			return fmt.Errorf("%s:%d: no column %s: the first line must name the columns rank, seed and val_loss; it says %q",
				t.name, line, want, strings.Join(fields, ","))
		}
	}
	return nil
}

// row reads one line, or says what is wrong with it.
func (t *lossTable) row(line int, fields []string) {
	if len(fields) != t.width {
		t.fail(line, "%d fields, the header has %d", len(fields), t.width)
		return
	}
	before := len(t.errs)
	field := func(column string) string { return strings.TrimSpace(fields[t.columns[column]]) }
	r := lossRow{line: line}
	var err error
	if r.rank, err = strconv.Atoi(field("rank")); err != nil || r.rank < 1 {
		t.fail(line, "rank %q is not a whole number from 1 on", field("rank"))
	}
	if r.seed, err = strconv.ParseInt(field("seed"), 10, 64); err != nil {
		t.fail(line, "seed %q is not a whole number", field("seed"))
	}
	r.loss = t.number(line, "val_loss", field("val_loss"))
	if _, ok := t.columns["train_loss"]; ok {
		r.train = t.number(line, "train_loss", field("train_loss"))
	}
	if i := slices.IndexFunc(t.rows, func(o lossRow) bool { return o.rank == r.rank && o.seed == r.seed }); i >= 0 && len(t.errs) == before {
		t.fail(line, "rank %d, seed %d stands in line %d already", r.rank, r.seed, t.rows[i].line)
	}
	if len(t.errs) == before {
		t.rows = append(t.rows, r)
	}
}

func (t *lossTable) number(line int, column, field string) float64 {
	x, err := strconv.ParseFloat(field, 64)
	if err != nil {
		t.fail(line, "%s %q is not a number", column, field)
	} else if math.IsNaN(x) || math.IsInf(x, 0) {
		t.fail(line, "%s is %s: leave runs that diverged out", column, field)
	}
	return x
}

func (t *lossTable) fail(line int, format string, args ...any) {
	t.errs = append(t.errs, fmt.Errorf("%s:%d: %w", t.name, line, fmt.Errorf(format, args...)))
}

// rungs groups the rows by rank. A rung is complete when it has every seed that the table names.
func (t *lossTable) rungs() []plateau.Losses {
	slices.SortStableFunc(t.rows, func(a, b lossRow) int { return cmp.Or(cmp.Compare(a.rank, b.rank), cmp.Compare(a.seed, b.seed)) })
	_, trained := t.columns["train_loss"]
	seeds := map[int64]bool{}
	var rungs []plateau.Losses
	for _, r := range t.rows {
		seeds[r.seed] = true
		if len(rungs) == 0 || rungs[len(rungs)-1].Rank != r.rank {
			rungs = append(rungs, plateau.Losses{Rank: r.rank})
		}
		l := &rungs[len(rungs)-1]
		l.Seeds, l.ValLoss = append(l.Seeds, r.seed), append(l.ValLoss, r.loss)
		if trained {
			l.Train = append(l.Train, r.train)
		}
	}
	for i := range rungs {
		rungs[i].Complete = len(rungs[i].Seeds) == len(seeds)
	}
	return rungs
}

package records

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"
)

// rowReader reads rows out of the columns that count. A row is what the same row of jsonl is; token ids alone are taken as they are,
// for they are many.
type rowReader struct {
	columns []*node
	mapping *mapping
	ids     bool  // the columns are lists of whole numbers
	bad     error // about the row; its other values are read on
}

// document reads the next row. bad is an error about this row only, err one about the file.
func (r *rowReader) document() (doc Document, bad, err error) {
	if r.ids {
		return r.tokens()
	}
	row, bad, err := r.row()
	if bad == nil && err == nil {
		doc, bad = row.document(r.mapping)
	}
	return doc, bad, err
}

// row reads the next row as jsonl has it. Its errors are as those of document.
func (r *rowReader) row() (row jsonRow, bad, err error) {
	row, size := jsonRow{}, 0
	for _, column := range r.columns {
		r.bad = nil
		body, err := r.append(nil, column, 0)
		if err != nil {
			return nil, nil, inColumn(column, err)
		}
		if size += len(body); r.bad == nil && size > maxRecord {
			r.bad = errLong
		}
		if r.bad != nil && bad == nil {
			bad = inColumn(column, r.bad)
		}
		row[column.Name] = body
	}
	return row, bad, nil
}

func inColumn(n *node, err error) error { return fmt.Errorf("column %s: %w", cut(n.Name), err) }

// tokens reads a row of token ids.
func (r *rowReader) tokens() (doc Document, bad, err error) {
	var out record
	for _, column := range r.columns {
		ids, wrong, err := column.ids()
		if err != nil {
			return Document{}, nil, inColumn(column, err)
		}
		if wrong != nil && bad == nil {
			bad = inColumn(column, wrong)
		}
		switch {
		case ids == nil:
		case column.Name == "input_ids":
			out.InputIDs = &ids
		case column.Name == "labels":
			out.Labels = &ids
		default:
			out.AttentionMask = ids
		}
	}
	if bad == nil {
		doc, bad = out.document(func() []string { return names(r.columns) })
	}
	return doc, bad, nil
}

func names(nodes []*node) (names []string) {
	for _, n := range nodes {
		names = append(names, n.Name)
	}
	return names
}

// list returns the node that repeats and what it repeats, where n is a list.
func (n *node) list() (repeated, element *node) {
	switch {
	case n.repeated():
		return n, n
	case n.isList():
		return n.children[0], n.children[0].element(n)
	}
	return nil, nil
}

// holdsIDs reports whether n is a list of whole numbers.
func (n *node) holdsIDs() bool {
	_, e := n.list()
	return e != nil && (e.Type == thrift.New(format.Int32) || e.Type == thrift.New(format.Int64)) && e.spelling() == nil
}

// ids reads a list of whole numbers; nil where it is null. bad is an error about the numbers.
func (n *node) ids() (ids []int32, bad, err error) {
	repeated, element := n.list()
	c := element.column
	entry, err := c.peek()
	if err != nil || entry.definition < repeated.definition {
		if _, _, err = c.take(0); err == nil && entry.definition >= repeated.definition-1 {
			ids = []int32{}
		}
		return ids, nil, err
	}
	for rep, more := 0, true; more; rep = repeated.repetition {
		v, present, err := c.take(rep)
		if err != nil {
			return nil, nil, err
		}
		switch id := element.whole(v); {
		case bad != nil:
		case !present:
			bad = errors.New("null among the numbers")
		case id < math.MinInt32 || id > math.MaxInt32:
			bad = fmt.Errorf("%d is no token id", id)
		case len(ids) >= maxRecord/4:
			bad = errLong
		default:
			ids = append(ids, int32(id))
		}
		if more, err = c.more(repeated); err != nil {
			return nil, nil, err
		}
	}
	return ids, bad, nil
}

// more reports whether the next entry belongs to the same list.
func (c *column) more(repeated *node) (bool, error) {
	entry, err := c.peek()
	if errors.Is(err, io.EOF) {
		return false, nil
	}
	return err == nil && entry.repetition == repeated.repetition, err
}

// append reads n as JSON (Dremel's record assembly: Melnik et al. 2010, section 4.3). repetition is the level that its first entry has.
func (r *rowReader) append(b []byte, n *node, repetition int) ([]byte, error) {
	if n.repeated() {
		return r.appendList(b, n, n, repetition)
	}
	entry, err := n.first().column.peek()
	if err != nil && !errors.Is(err, io.EOF) {
		return b, err
	}
	if entry.definition < n.definition {
		return r.add(b, "null"), n.skip(repetition)
	}
	if repeated, element := n.list(); repeated != nil {
		return r.appendList(b, repeated, element, repetition)
	}
	if n.isMap() {
		return r.appendMap(b, n.children[0], repetition)
	}
	return r.appendPresent(b, n, repetition)
}

// skip reads over what is null.
func (n *node) skip(repetition int) error {
	return n.leaves(func(leaf *node) error {
		_, present, err := leaf.column.take(repetition)
		if present {
			return errors.Join(errThrift, err)
		}
		return err
	})
}

// each hands the repetition levels of the entries of repeated to read.
func (r *rowReader) each(repeated *node, repetition int, read func(repetition int) error) error {
	c := repeated.first().column
	entry, err := c.peek()
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if entry.definition < repeated.definition {
		return repeated.skip(repetition)
	}
	for {
		if err := read(repetition); err != nil {
			return err
		}
		repetition = repeated.repetition
		if more, err := c.more(repeated); err != nil || !more {
			return err
		}
	}
}

func (r *rowReader) appendList(b []byte, repeated, element *node, repetition int) ([]byte, error) {
	b = r.add(b, "[")
	start := len(b)
	err := r.each(repeated, repetition, func(repetition int) (err error) {
		if len(b) > start {
			b = r.add(b, ",")
		}
		if element == repeated {
			b, err = r.appendPresent(b, element, repetition)
		} else {
			b, err = r.append(b, element, repetition)
		}
		return err
	})
	return r.add(b, "]"), err
}

// appendMap reads the keys and values of a map.
func (r *rowReader) appendMap(b []byte, entries *node, repetition int) ([]byte, error) {
	b = r.add(b, "{")
	start := len(b)
	err := r.each(entries, repetition, func(repetition int) error {
		key, err := r.append(nil, entries.children[0], repetition)
		if err != nil {
			return err
		}
		if len(key) == 0 || key[0] != '"' {
			key = strconv.AppendQuote(nil, string(key))
		}
		b, err = r.appendKey(b, start, key, entries.children[1], repetition)
		return err
	})
	return r.add(b, "}"), err
}

// appendPresent reads a leaf or a struct that is not null.
func (r *rowReader) appendPresent(b []byte, n *node, repetition int) ([]byte, error) {
	if n.Type.Valid {
		return r.appendLeaf(b, n, repetition)
	}
	b = r.add(b, "{")
	start := len(b)
	for _, child := range n.children {
		key, err := json.Marshal(child.Name)
		if err == nil {
			b, err = r.appendKey(b, start, key, child, repetition)
		}
		if err != nil {
			return b, err
		}
	}
	return r.add(b, "}"), nil
}

// appendKey reads a key's value. Keys that are null are left out, for a struct has every key that any row has; but for content,
// which every message has.
func (r *rowReader) appendKey(b []byte, start int, key []byte, n *node, repetition int) ([]byte, error) {
	before := len(b)
	if before > start {
		b = r.add(b, ",")
	}
	b = r.add(r.add(b, string(key)), ":")
	at := len(b)
	b, err := r.append(b, n, repetition)
	if string(b[at:]) == "null" && n.Name != "content" {
		b = b[:before]
	}
	return b, err
}

// appendLeaf reads a value.
func (r *rowReader) appendLeaf(b []byte, n *node, repetition int) ([]byte, error) {
	v, present, err := n.column.take(repetition)
	if err != nil || !present || r.bad != nil {
		return r.add(b, "null"), err
	}
	var out []byte
	out, r.bad = n.json(v)
	return r.add(b, string(out)), nil
}

// add appends to a row's JSON while the row is good and no longer than it may be.
func (r *rowReader) add(b []byte, more string) []byte {
	if r.bad == nil && len(b)+len(more) > maxRecord {
		r.bad = errLong
	}
	if r.bad != nil {
		return b
	}
	return append(b, more...)
}

// recordColumns finds the columns that count in a schema: those that make a row, or say what one is.
func recordColumns(root *node, m *mapping) (*rowReader, error) {
	wanted := parquetColumns(names(root.children), m)
	r := &rowReader{mapping: m, ids: len(wanted) > 0 && wanted[0] == "input_ids"}
	for _, column := range root.children {
		if slices.Contains(wanted, column.Name) {
			r.columns = append(r.columns, column)
			r.ids = r.ids && column.holdsIDs() && !slices.Contains(maskColumns(), column.Name)
		}
	}
	if len(r.columns) == 0 {
		return nil, fmt.Errorf("no column to train on (columns: %s): want %s", cut(strings.Join(names(root.children), ", ")), wantedColumns)
	}
	return r, nil
}

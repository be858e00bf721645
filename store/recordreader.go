package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
)

// errOverfull is of what no Recorder has written.
var errOverfull = errors.New("it unpacks to more than a record of its size can hold")

// recordReader reads a record's JSON a row at a time: those of a large sweep take hundreds of megabytes.
type recordReader struct {
	*json.Decoder
	values int // elements of arrays that it may have yet
}

func newRecordReader(text io.Reader, values int) *recordReader {
	d := json.NewDecoder(text)
	d.UseNumber() // nanoseconds have more digits than a float64
	return &recordReader{d, values}
}

// read reads a record, or what stands before its tables.
func (d *recordReader) read(r *Record, tables bool) error {
	fields := map[json.Token]any{"schema": &r.Schema, "name": &r.Name, "created_ns": &r.Created, "at": &r.At}
	for field, err := range d.members() {
		switch {
		case err != nil:
		case field == "former":
			r.Former, err = d.texts()
		case field != "tables":
			err = d.value(fields[field])
		case !tables:
			return nil
		default:
			err = d.each(func() error { return d.table(r) })
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (d *recordReader) table(r *Record) error {
	var t rows
	for field, err := range d.members() {
		switch {
		case err != nil:
		case field == "table":
			err = d.value(&t.Table)
		case field == "columns":
			t.Columns, err = d.texts()
		case field == "rows":
			err = d.each(func() error { return d.row(&t) })
		default:
			err = d.value(nil)
		}
		if err != nil {
			return err
		}
	}
	r.Tables = append(r.Tables, t)
	return nil
}

func (d *recordReader) row(t *rows) error {
	row := make([]any, 0, len(t.Columns))
	err := d.each(func() error {
		v, err := d.scalar()
		row = append(row, v)
		return err
	})
	if err == nil && len(row) != len(t.Columns) {
		err = fmt.Errorf("table %s has a row of %d values for %d columns", t.Table, len(row), len(t.Columns))
	}
	t.Rows = append(t.Rows, row)
	return err
}

func (d *recordReader) texts() (all []string, err error) {
	err = d.each(func() error {
		v, err := d.scalar()
		text, ok := v.(string)
		if err == nil && !ok {
			err = fmt.Errorf("%v where a text belongs", v)
		}
		all = append(all, text)
		return err
	})
	return all, err
}

// scalar reads a number as SQLite takes it, a text, true, false or null.
func (d *recordReader) scalar() (any, error) {
	v, err := d.Token()
	if err != nil {
		return nil, err
	}
	switch v := v.(type) {
	case json.Delim:
		return nil, fmt.Errorf("%v where a value belongs", v)
	case json.Number:
		if whole, err := v.Int64(); err == nil {
			return whole, nil
		}
		return v.Float64()
	}
	return v, nil
}

// members yields the names of an object's members; whoever asks for the next has read the value.
func (d *recordReader) members() iter.Seq2[json.Token, error] {
	return func(yield func(json.Token, error) bool) {
		_, err := d.Token()
		for err == nil && d.More() {
			var field json.Token
			if field, err = d.Token(); err == nil && !yield(field, nil) {
				return
			}
		}
		if err == nil {
			_, err = d.Token()
		}
		if err != nil {
			yield(nil, err)
		}
	}
}

// each has the elements of an array read.
func (d *recordReader) each(read func() error) error {
	_, err := d.Token()
	for err == nil && d.More() {
		if d.values--; d.values < 0 {
			return errOverfull
		}
		err = read()
	}
	if err == nil {
		_, err = d.Token()
	}
	return err
}

// value reads what stands next into a field; nil passes over what a newer version wrote.
func (d *recordReader) value(into any) error {
	if into == nil {
		into = new(json.RawMessage)
	}
	return d.Decode(into)
}

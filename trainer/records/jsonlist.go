package records

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
)

// json yields the rows of a JSON file that is no jsonl: one array, an array within an object, or objects one after another in
// whatever lines. It holds one row at a time.
func (in Input) json(ctx context.Context) iter.Seq2[Document, error] {
	return in.records(ctx, func(body io.Reader, columns *mapping, yield rowYield) bool {
		l := jsonList{jsonScanner: newJSONScanner(body), columns: columns, yield: yield}
		err := l.read()
		if err != nil && !errors.Is(err, errStopped) {
			yield(fmt.Sprintf(":%d", l.line), Document{}, err)
		}
		return err == nil
	})
}

// errStopped says that no more rows are wanted.
var errStopped = errors.New("stopped")

// jsonList hands out the rows of a JSON file.
type jsonList struct {
	*jsonScanner
	columns *mapping
	yield   rowYield
	rows    int
	last    int // the line of the row before
}

func (l *jsonList) read() error {
	if mark, err := l.r.Peek(len(byteOrderMark)); err == nil && string(mark) == byteOrderMark {
		l.r.Discard(len(byteOrderMark)) //nolint:errcheck,gosec // they are in the buffer
	}
	start, err := l.peek()
	if errors.Is(err, io.EOF) {
		return nil // an empty file has no row
	}
	if err != nil {
		return err
	}
	begin, _ := l.r.Peek(headSize)
	if key := wrapper(begin); key != "" {
		return l.object(key)
	}
	if start != '[' {
		return l.values()
	}
	if err := l.elements(); err != nil {
		return err
	}
	return l.end()
}

// row reads a row and hands it out.
func (l *jsonList) row() error {
	if _, err := l.peek(); err != nil {
		return err
	}
	l.rows++
	place, before := fmt.Sprintf(":%d", l.line), l.bytes
	if l.line == l.last {
		place += fmt.Sprintf(", row %d", l.rows)
	}
	l.last = l.line
	if err := l.value(); err != nil {
		l.yield(place, Document{}, err)
		return errStopped
	}
	doc, err := parseElement(l.buf, l.columns)
	doc.Size = l.bytes - before
	if !l.yield(place, doc, badRow(err)) {
		return errStopped
	}
	return nil
}

// parseElement reads an element of a list: a row, or a text alone, as Hugging Face's datasets has it.
func parseElement(value []byte, columns *mapping) (Document, error) {
	if value[0] != '"' {
		return parseLine(value, columns)
	}
	if err := checkText(value); err != nil {
		return Document{}, err
	}
	text, err := decodeColumn[string](value, "text")
	if err != nil {
		return Document{}, err
	}
	return record{Text: text}.document(nil)
}

// values are rows without an array around them.
func (l *jsonList) values() error {
	for {
		if err := l.row(); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
	}
}

// elements are an array's rows.
func (l *jsonList) elements() error {
	if err := l.expect('['); err != nil {
		return err
	}
	for first := true; ; first = false {
		c, err := l.peek()
		if err == nil && c == ']' {
			return l.expect(']')
		}
		if err == nil && !first {
			err = l.expect(',')
		}
		if err == nil {
			err = l.row()
		}
		if err != nil {
			return cutShort(err)
		}
	}
}

// object is an object with the rows in a list under a key. What stands beside them is not read, but for a second list of rows.
func (l *jsonList) object(key string) error {
	if err := l.expect('{'); err != nil {
		return err
	}
	for done := false; ; {
		if err := l.value(); err != nil {
			return cutShort(err)
		}
		var name string
		if err := json.Unmarshal(l.buf, &name); err != nil {
			return fmt.Errorf("not JSON: %w", err)
		}
		if err := l.expect(':'); err != nil {
			return err
		}
		err := l.member(name, key, done)
		if err != nil {
			return cutShort(err)
		}
		done = done || name == key
		if c, err := l.peek(); err == nil && c == '}' {
			l.byte() //nolint:errcheck,gosec // it is there
			return l.end()
		}
		if err := l.expect(','); err != nil {
			return err
		}
	}
}

// member reads a value of an object.
func (l *jsonList) member(name, key string, done bool) error {
	if name == key && !done {
		return l.elements()
	}
	if err := l.value(); err != nil {
		return err
	}
	if l.buf[0] == '[' && slices.Contains(wrappers(), name) {
		return fmt.Errorf("it holds two lists of rows, %s and %s: write a file for each", key, name)
	}
	return nil
}

// end refuses what follows the rows.
func (l *jsonList) end() error {
	c, err := l.peek()
	if errors.Is(err, io.EOF) {
		return nil
	}
	if err != nil {
		return err
	}
	return fmt.Errorf("%q follows the end of the rows: write one array, or one object a line", c)
}

// expect consumes a mark of JSON's.
func (l *jsonList) expect(mark byte) error {
	c, err := l.peek()
	if err != nil {
		return cutShort(err)
	}
	if c != mark {
		return fmt.Errorf("not JSON: %q where %q should be", c, mark)
	}
	_, err = l.byte()
	return err
}

// cutShort turns the end of the file into an error.
func cutShort(err error) error {
	if errors.Is(err, io.EOF) {
		return errCutJSON
	}
	return err
}

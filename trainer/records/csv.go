package records

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"maps"
	"slices"
	"strings"
)

// table yields the rows of a csv (RFC 4180) or tsv file, whose first row names the columns.
func (in Input) table(ctx context.Context) iter.Seq2[Document, error] {
	return in.records(ctx, func(body io.Reader, columns *mapping, yield rowYield) bool {
		rows := newCSVReader(body, ',')
		if mark, err := rows.r.Peek(len(byteOrderMark)); err == nil && string(mark) == byteOrderMark { // written by spreadsheets
			rows.r.Discard(len(byteOrderMark)) //nolint:errcheck,gosec // they are in the buffer
		}
		begin, _ := rows.r.Peek(headSize)
		rows.separator = separatorOf(begin, in.Kind, in.Columns)
		header, err := readHeader(rows, columns)
		if err != nil {
			if errors.Is(err, io.EOF) {
				return true // an empty file has no row
			}
			yield(":1", Document{}, err)
			return false
		}
		for {
			before := rows.bytes
			cells, err := rows.record()
			if errors.Is(err, io.EOF) {
				return true
			}
			doc := Document{}
			if err == nil {
				doc, err = parseCells(header, cells, columns)
				err = badRow(err)
			}
			doc.Size = rows.bytes - before
			if !yield(fmt.Sprintf(":%d", rows.start), doc, err) {
				return false
			}
		}
	})
}

// separatorOf returns what stands between the cells: what the file's name says, or another where only with that the first row names
// columns to train on. Where none does, it is the one that parts the most names, so that an error lists them.
func separatorOf(begin []byte, kind Kind, theirs map[string]string) byte {
	separators := []byte{',', ';', '\t', '|'}
	if kind == KindTSV {
		separators = []byte{'\t', ',', ';', '|'}
	}
	widest, most := separators[0], 0
	for _, separator := range separators {
		names, err := newCSVReader(bytes.NewReader(begin), separator).record()
		switch {
		case err != nil:
		case hasForm(names, theirs):
			return separator
		case len(names) > most:
			widest, most = separator, len(names)
		}
	}
	return widest
}

// hasForm reports whether columns of these names can be trained on.
func hasForm(names []string, theirs map[string]string) bool {
	row := jsonRow{}
	for _, name := range names {
		row[name] = json.RawMessage(`""`)
	}
	for name, other := range theirs {
		if row[other] != nil {
			row[name] = row[other]
		}
	}
	_, ok, err := instructionColumns(func(name string) bool { return row[name] != nil })
	return ok || err != nil || row["text"] != nil || row["prompt"] != nil || row["completion"] != nil || row["messages"] != nil ||
		row["conversations"] != nil || row["conversation"] != nil
}

// readHeader reads and checks the names of the columns.
func readHeader(rows *csvReader, columns *mapping) ([]string, error) {
	header, err := rows.record()
	if err != nil {
		return nil, err
	}
	for i, name := range header {
		if slices.Contains(header[:i], name) && isColumn(name, columns) {
			return nil, fmt.Errorf("two columns are called %s: rename one", name)
		}
	}
	columns.header = header
	if len(columns.theirs) == 0 && !hasForm(header, nil) {
		return nil, fmt.Errorf("no column to train on (columns: %s): the first row must name text, prompt and completion, or instruction "+
			"and output, or data.columns the columns of the file; messages and input_ids need jsonl or parquet",
			cut(strings.Join(header, ", ")))
	}
	return header, nil
}

// isColumn reports whether a column is read.
func isColumn(name string, columns *mapping) bool {
	if slices.Contains(formColumns(), name) {
		return true
	}
	for _, theirs := range columns.theirs {
		if theirs == name {
			return true
		}
	}
	return false
}

// parseCells reads a row. An empty cell is absent, but for text, prompt and completion: csv has no null.
func parseCells(header, cells []string, columns *mapping) (Document, error) {
	if len(cells) != len(header) {
		return Document{}, errors.New("another number of cells than the first row has: quote cells that hold the separator")
	}
	row, empty := jsonRow{}, jsonRow{}
	for i, cell := range cells {
		name := header[i]
		if !isColumn(name, columns) {
			continue
		}
		if err := checkText([]byte(cell)); err != nil {
			return Document{}, fmt.Errorf("column %s: %w", name, err)
		}
		into := row
		if cell == "" {
			into = empty
		}
		into[name] = cellValue(name, cell)
	}
	if err := row.keepEmpty(empty, columns); err != nil {
		return Document{}, err
	}
	return row.document(columns)
}

// cellValue is a cell as JSON has it.
func cellValue(name, cell string) json.RawMessage {
	switch lower := strings.ToLower(cell); {
	case (name == "label" || name == "kto_tag") && (lower == "true" || lower == "false"):
		return json.RawMessage(lower)
	case name == "history" && json.Valid([]byte(cell)):
		return json.RawMessage(cell)
	}
	return mustJSON(cell)
}

// keepEmpty adds the empty cells that are a value. An empty prompt or completion beside a text is absent. A row whose prompt and
// completion are both empty, without a text, says nothing to train on.
func (j jsonRow) keepEmpty(empty jsonRow, columns *mapping) error {
	text, prompt, completion := columns.name("text"), columns.name("prompt"), columns.name("completion")
	filled := j[text] != nil
	if empty[prompt] != nil && empty[completion] != nil && !filled {
		return errors.New("prompt and completion are empty, and there is no text: fill the row in, or remove it")
	}
	for _, name := range []string{text, prompt, completion} {
		if empty[name] != nil && (name == text || !filled) {
			j[name] = empty[name]
		}
	}
	for _, name := range slices.Collect(maps.Keys(empty)) {
		if j[name] == nil {
			j[name] = json.RawMessage("null")
		}
	}
	return nil
}

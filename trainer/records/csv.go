package records

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"
)

// csvBuffer is how much encoding/csv may read ahead of the record that it returns.
const csvBuffer = 1 << 16

// table yields the rows of a csv (RFC 4180) or tsv file, whose first row names the columns.
func (in Input) table(ctx context.Context) iter.Seq2[Document, error] {
	return in.records(ctx, func(body io.Reader, yield func(string, Document, error) bool) bool {
		limited := &recordLimit{r: body}
		rows := csv.NewReader(limited)
		rows.ReuseRecord = true
		if in.Kind == KindTSV {
			rows.Comma = '\t'
		}
		header, err := readHeader(rows)
		if err != nil {
			if errors.Is(err, io.EOF) {
				return true // an empty file has no row
			}
			return yield(":1", Document{}, err)
		}
		for {
			limited.read = 0
			before := rows.InputOffset()
			cells, err := rows.Read()
			if errors.Is(err, io.EOF) {
				return true
			}
			if err != nil {
				return yield(csvPlace(err), Document{}, csvError(err))
			}
			line, _ := rows.FieldPos(0)
			doc, err := parseCells(header, cells)
			doc.Size = rows.InputOffset() - before
			if !yield(fmt.Sprintf(":%d", line), doc, err) || err != nil {
				return false
			}
		}
	})
}

// readHeader reads and checks the names of the columns.
func readHeader(rows *csv.Reader) ([]string, error) {
	header, err := rows.Read()
	if err != nil {
		return nil, csvError(err)
	}
	header = slices.Clone(header)
	header[0] = strings.TrimPrefix(header[0], "\uFEFF") // written by spreadsheets
	for i, name := range header {
		if slices.Contains(header[:i], name) && isColumn(name) {
			return nil, fmt.Errorf("two columns are called %s: rename one", name)
		}
	}
	if !slices.ContainsFunc(header, isColumn) {
		return nil, fmt.Errorf("no column to train on (columns: %s): the first row must name text, or prompt and completion; messages "+
			"and input_ids need jsonl or parquet",
			strings.Join(header, ", "))
	}
	return header, nil
}

func isColumn(name string) bool { return name == "text" || name == "prompt" || name == "completion" }

func parseCells(header, cells []string) (Document, error) {
	var r record
	for i, cell := range cells {
		if !isColumn(header[i]) {
			continue
		}
		if err := checkText([]byte(cell)); err != nil {
			return Document{}, fmt.Errorf("column %s: %w", header[i], err)
		}
		cell = strings.Clone(cell)
		switch header[i] {
		case "text":
			r.Text = &cell
		case "prompt":
			r.Prompt = &turns{text: cell}
		case "completion":
			r.Completion = &turns{text: cell}
		}
	}
	if err := r.dropEmpty(); err != nil {
		return Document{}, err
	}
	return r.document(func() []string { return header })
}

// dropEmpty makes an empty prompt or completion beside a text absent: csv has no null. A row whose prompt and completion are both
// empty, without a text, says nothing to train on.
func (r *record) dropEmpty() error {
	filled := r.Text != nil && *r.Text != ""
	noPrompt, noCompletion := r.Prompt != nil && r.Prompt.text == "", r.Completion != nil && r.Completion.text == ""
	if noPrompt && noCompletion && !filled {
		return errors.New("prompt and completion are empty, and there is no text: fill the row in, or remove it")
	}
	if filled && noPrompt {
		r.Prompt = nil
	}
	if filled && noCompletion {
		r.Completion = nil
	}
	return nil
}

// csvPlace takes the line out of an error of encoding/csv.
func csvPlace(err error) string {
	if e, ok := errors.AsType[*csv.ParseError](err); ok {
		return fmt.Sprintf(":%d", e.Line)
	}
	return ""
}

// csvError says what to do about an error of encoding/csv, whose line is reported separately.
func csvError(err error) error {
	e, ok := errors.AsType[*csv.ParseError](err)
	switch {
	case !ok:
		return err
	case errors.Is(e.Err, csv.ErrFieldCount):
		return errors.New("another number of cells than the first row has: quote cells that hold the separator")
	}
	return fmt.Errorf("column %d: %w", e.Column, e.Err)
}

// recordLimit fails once a record is beyond maxRecord.
type recordLimit struct {
	r    io.Reader
	read int // since the record began, without what had been read ahead
}

func (l *recordLimit) Read(p []byte) (int, error) {
	if l.read > maxRecord+csvBuffer {
		return 0, errLong
	}
	n, err := l.r.Read(p[:min(len(p), csvBuffer)])
	l.read += n
	return n, err
}

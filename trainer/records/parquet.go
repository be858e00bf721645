package records

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"

	"github.com/parquet-go/parquet-go"

	"github.com/ranksweep/ranksweep/sweep/trial"
)

// parquet yields the rows of a parquet file. Only the columns of record are read, a page at a time.
func (in Input) parquet(ctx context.Context) iter.Seq2[Document, error] {
	return func(yield func(Document, error) bool) {
		f, err := os.Open(in.Name)
		if err != nil {
			yield(Document{}, missing(in.Name, err))
			return
		}
		defer f.Close() //nolint:errcheck // only read
		stopped := false
		err = in.parquetRows(ctx, f, func(doc Document) bool {
			stopped = !yield(doc, nil)
			return !stopped
		})
		if err == nil && !stopped && in.Key != "" {
			var key string
			if key, _, err = hashFile(ctx, in.Name); err == nil && key != in.Key {
				err = in.changed()
			}
		}
		if err != nil && !stopped {
			yield(Document{}, err)
		}
	}
}

// parquetRows hands the rows of a file to emit until it says stop.
func (in Input) parquetRows(ctx context.Context, f *os.File, emit func(Document) bool) error {
	bad := func(place string, err error) error {
		return fmt.Errorf("%w: data file %s%s: %w", trial.ErrInput, in.Name, place, err)
	}
	file, err := openParquet(f, in.Size)
	if err != nil {
		return bad("", err)
	}
	columns, err := recordColumns(file.Schema())
	if err != nil {
		return bad("", err)
	}
	more := true
	row, size := 0, in.Size/max(1, file.NumRows())
	for i, group := range file.RowGroups() {
		readers, err := in.openColumns(f, file, i, group, columns)
		if err != nil {
			return bad(fmt.Sprintf(", row group %d", i+1), err)
		}
		for range group.NumRows() {
			place := fmt.Sprintf(", row %d", row+1)
			if err := ctx.Err(); err != nil {
				return err
			}
			doc, err := readRecord(readers)
			if err != nil {
				return bad(place, err)
			}
			doc.Place, doc.Size = in.Name+place, size
			row++
			if more = emit(doc); !more {
				break
			}
		}
		for _, r := range readers {
			r.close()
		}
		if !more {
			return nil
		}
	}
	return nil
}

// openParquet checks a file's metadata and reads it. The library panics on some damaged files.
func openParquet(f *os.File, size int64) (file *parquet.File, err error) {
	defer recovered(&err)
	if err := checkFooter(f, size); err != nil {
		return nil, err
	}
	file, err = parquet.OpenFile(f, size, parquet.SkipPageIndex(true), parquet.SkipBloomFilters(true))
	return file, shortened(err)
}

// recovered turns a panic of the library into an error about the file.
func recovered(err *error) {
	if p := recover(); p != nil {
		*err = fmt.Errorf("damaged: %v", p)
	}
}

// openColumns checks the pages of a row group's columns and opens them.
func (in Input) openColumns(f *os.File, file *parquet.File, group int, rows parquet.RowGroup,
	columns []leaf,
) (readers []*columnReader, err error) {
	defer recovered(&err)
	chunks := file.Metadata().RowGroups[group].Columns
	for _, l := range columns {
		if l.index >= len(chunks) {
			return nil, errThrift
		}
		if err := checkChunk(f, in.Size, &chunks[l.index].MetaData, l.levels); err != nil {
			return nil, fmt.Errorf("column %s: %w", l.path, err)
		}
		readers = append(readers, &columnReader{leaf: l, pages: rows.ColumnChunks()[l.index].Pages()})
	}
	return readers, nil
}

// columnReader reads one column of a row group, a row at a time.
type columnReader struct {
	leaf
	pages  parquet.Pages
	page   parquet.Page
	values parquet.ValueReader
	buf    [64]parquet.Value
	ready  []parquet.Value // of buf, not used yet
}

// fill reads more values; it fails with io.EOF at the end.
func (c *columnReader) fill() error {
	for len(c.ready) == 0 {
		if c.values != nil {
			n, err := c.values.ReadValues(c.buf[:])
			c.ready = c.buf[:n]
			if err == nil || n > 0 {
				continue
			}
			if !errors.Is(err, io.EOF) {
				return err
			}
			parquet.Release(c.page)
			c.values = nil
		}
		page, err := c.pages.ReadPage()
		if err != nil {
			return err
		}
		c.page, c.values = page, page.Values()
	}
	return nil
}

// row hands the values of the next row to add: one, or those of a list.
func (c *columnReader) row(add func(parquet.Value) error) error {
	for first := true; ; first = false {
		err := c.fill()
		if errors.Is(err, io.EOF) && !first {
			return nil
		}
		if errors.Is(err, io.EOF) {
			err = fmt.Errorf("%w: fewer rows than it says", errThrift)
		}
		if err != nil {
			return err
		}
		v := c.ready[0]
		if (v.RepetitionLevel() == 0) != first {
			if first {
				return errThrift
			}
			return nil
		}
		c.ready = c.ready[1:]
		if err := add(v); err != nil {
			return err
		}
	}
}

func (c *columnReader) close() {
	if c.values != nil {
		parquet.Release(c.page)
	}
	c.pages.Close() //nolint:errcheck,gosec // only read
}

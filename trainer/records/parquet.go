package records

import (
	"context"
	"fmt"
	"iter"
	"os"
	"slices"

	"github.com/ranksweep/ranksweep/sweep/trial"
)

// parquet yields the rows of a parquet file. Only the columns of record are read, a page at a time.
func (in Input) parquet(ctx context.Context) iter.Seq2[Document, error] {
	return func(yield func(Document, error) bool) {
		f, err := trial.OpenInput(in.Name)
		if err != nil {
			yield(Document{}, missing(in.Name, err))
			return
		}
		defer f.Close() //nolint:errcheck // only read
		stopped := false
		err = in.parquetRows(ctx, f, func(doc Document, err error) bool {
			stopped = !yield(doc, err)
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
func (in Input) parquetRows(ctx context.Context, f *os.File, emit func(Document, error) bool) error {
	bad := func(place string, err error) error {
		return fmt.Errorf("%w: data file %s%s: %w", trial.ErrInput, in.Name, place, err)
	}
	footer, err := readFooter(f, in.Size)
	if err != nil {
		return bad("", err)
	}
	columns := in.mapping()
	columns.header = names(footer.root.children)
	rows, err := recordColumns(footer.root, columns)
	if err != nil {
		return bad("", err)
	}
	row, size := 0, in.Size/max(1, footer.NumRows)
	for i, group := range footer.RowGroups {
		if err := rows.open(f, in.Size, group); err != nil {
			return bad(fmt.Sprintf(", row group %d", i+1), err)
		}
		for range group.NumRows {
			row++
			place := fmt.Sprintf(", row %d", row)
			if err := ctx.Err(); err != nil {
				return err
			}
			doc, wrong, err := rows.document()
			if err != nil {
				return bad(place, err)
			}
			if wrong != nil {
				wrong = badRow(bad(place, wrong))
			}
			doc.Place, doc.Size = in.Name+place, size
			if !emit(doc, wrong) {
				return nil
			}
		}
	}
	if err := columns.unseen(); err != nil {
		return bad("", err)
	}
	return nil
}

// open begins a row group.
func (r *rowReader) open(f *os.File, size int64, group parquetRowGroup) error {
	for _, column := range r.columns {
		err := column.leaves(func(leaf *node) error {
			if leaf.index >= len(group.Columns) {
				return errThrift
			}
			var err error
			leaf.column, err = newColumn(leaf, f, size, group.Columns[leaf.index].Meta)
			return err
		})
		if err != nil {
			return fmt.Errorf("column %s: %w", cut(column.Name), err)
		}
	}
	return nil
}

// parquetColumns returns which columns are read of a table with these. Those of other forms than text and ids go with others.
func parquetColumns(names []string, m *mapping) []string {
	form := tableForm(names)
	if len(form) > 0 && form[0] == "input_ids" {
		form = append(form, maskColumns()...)
	}
	if alone := len(form) > 0 && (form[0] == "text" || form[0] == "input_ids"); alone && len(m.theirs) == 0 {
		return form
	}
	beside := append(form, "tools", "chat_template_kwargs")
	return slices.DeleteFunc(slices.Clone(names), func(name string) bool {
		return slices.Contains(mediaColumns(), name) || !slices.Contains(beside, name) && !isColumn(name, m)
	})
}

package records

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"

	"github.com/ranksweep/ranksweep/sweep/trial"
)

// RowError is what is wrong with one row. The rows after it can still be read.
type RowError struct{ Err error }

// Error says what is wrong.
func (e *RowError) Error() string { return e.Err.Error() }

// Unwrap returns the error within.
func (e *RowError) Unwrap() error { return e.Err }

// badRow marks an error as one of a row alone.
func badRow(err error) error {
	if err == nil {
		return nil
	}
	return &RowError{err}
}

// IsRowError reports whether an error is one of a row alone.
func IsRowError(err error) bool {
	_, ok := errors.AsType[*RowError](err)
	return ok
}

// rowYield hands out a row, with the part of its place that follows the file's name, and reports whether to go on.
type rowYield func(place string, doc Document, err error) bool

// records yields what read finds in the input's file, and checks at the end that it still is what was hashed. read reports whether
// it went to the end.
func (in Input) records(ctx context.Context, read func(body io.Reader, columns *mapping, yield rowYield) bool) iter.Seq2[Document, error] {
	return func(yield func(Document, error) bool) {
		c, err := in.open(ctx)
		if err != nil {
			yield(Document{}, err)
			return
		}
		defer c.close()
		hand := func(place string, doc Document, err error) bool {
			doc.Place = in.Name + place
			if err != nil && ctx.Err() == nil {
				err = fmt.Errorf("%w: data file %s: %w", trial.ErrInput, doc.Place, err)
			}
			return yield(doc, err) && (err == nil || IsRowError(err))
		}
		columns := in.mapping()
		if !read(c, columns, hand) {
			return
		}
		if err := columns.unseen(); err != nil && !hand("", Document{}, err) {
			return
		}
		if err := c.verify(); err != nil {
			yield(Document{}, err)
		}
	}
}

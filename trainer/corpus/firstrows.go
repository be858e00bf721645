package corpus

import (
	"context"

	"github.com/ranksweep/ranksweep/trainer/chat"
	"github.com/ranksweep/ranksweep/trainer/records"
)

// lookRows is how many rows of a file FirstRows reads: enough to see what they are made of, and quick for any number of files.
const lookRows = 20

// FirstRows reads the first rows of every file of src.Spec and tells src what they are made of. It refuses those that cannot be read,
// unless such rows are to be skipped. It encodes nothing, and reads neither data sets of the hub nor text files, whose beginnings alone it
// looks at.
func FirstRows(ctx context.Context, src Source) error {
	bad, found := badRows{skip: src.Spec.SkipBadRows}, forms{}
	for _, side := range []struct {
		key   string
		names []string
		own   bool
	}{
		{"data.train", src.Spec.Train, false},
		{"data.validation", src.Spec.Validation, false},
		{"data.retain", src.Spec.Retain, true},
	} {
		inputs, err := records.Local(side.names)
		if err != nil {
			return err
		}
		for _, in := range inputs {
			in.Columns, in.OwnNames = src.Spec.Columns, side.own
			if err := look(ctx, in, &bad, func(doc records.Document) { found.note(side.key, doc) }); err != nil {
				return err
			}
		}
	}
	if err := bad.err(); err != nil {
		return err
	}
	e := encoder{}
	_, e.tmplErr = chat.Load(src.Files)
	src.tell(found.lines(e.untemplated()))
	return nil
}

// look reads the first rows of a file.
func look(ctx context.Context, in records.Input, bad *badRows, note func(records.Document)) error {
	if in.Kind == records.KindText {
		return nil
	}
	rows := 0
	for doc, err := range in.Documents(ctx) {
		if err := bad.note(err); err != nil {
			return err
		}
		if err == nil {
			note(doc)
		}
		if rows++; rows == lookRows {
			return nil
		}
	}
	return nil
}

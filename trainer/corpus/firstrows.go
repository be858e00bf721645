package corpus

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/ranksweep/ranksweep/sweep/trial"
	"github.com/ranksweep/ranksweep/trainer/records"
)

// lookRows is how many rows of a file FirstRows reads: enough to see what they are made of, and quick for any number of files.
const lookRows = 20

// FirstRows reads the first rows of every file of src.Spec, makes token ids of them as a run would, and tells src what they are made
// of. It returns what a run would refuse of them, each error as at places it at its key (data.train and so on), and what to warn of.
// It reads neither data sets of the hub nor text files, whose beginnings alone it looks at.
func FirstRows(ctx context.Context, src Source, at func(key string, err error) error) (warnings []string, err error) {
	var errs []error
	var found forms
	p := &plan{spec: src.Spec, model: src.Model}
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
		if err == nil && p.enc == nil {
			p.enc, err = newEncoder(src.Files, src.Spec, inputs)
		}
		l := look{plan: p, shaper: newShaper(side.key, p), bad: badRows{skip: src.Spec.SkipBadRows}, found: &found}
		for i := 0; err == nil && i < len(inputs); i++ {
			inputs[i].Columns, inputs[i].OwnNames = src.Spec.Columns, side.own
			err = l.input(ctx, inputs[i])
		}
		if err == nil {
			err = l.verdict(len(inputs), side.names)
		}
		if err != nil {
			errs = append(errs, at(side.key, err))
		}
		warnings = append(warnings, l.shaper.warnings()...)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	src.tell(found.lines(p.enc.untemplated()))
	return append(p.enc.Warnings(), warnings...), nil
}

// look reads the first rows of one side's inputs.
type look struct {
	plan   *plan
	shaper *shaper
	bad    badRows
	found  *forms
}

func (l *look) input(ctx context.Context, in records.Input) error {
	if in.Kind == records.KindText {
		l.bad.rows += int(min(in.Size, 1))
		return nil
	}
	rows := 0
	for doc, err := range in.Documents(ctx) {
		if err == nil {
			l.found.note(l.shaper.key, doc)
			err = l.encode(doc)
		}
		if err := l.bad.note(err); err != nil {
			return err
		}
		if rows++; rows == lookRows {
			return nil
		}
	}
	return nil
}

// verdict refuses a side of which nothing can be used. Of built-in sets and those of the hub nothing was read.
func (l *look) verdict(inputs int, names []string) error {
	switch {
	case l.bad.n > 0 && !l.bad.skip:
		return fmt.Errorf("of the first %d rows of each file: %w", lookRows, l.bad.err())
	case inputs > 0 && inputs == len(names) && l.bad.rows == 0:
		return fmt.Errorf("%w: %s is empty: no row in %s: fill the file, or name another", trial.ErrInput, l.shaper.key,
			strings.Join(names, ", "))
	}
	return nil
}

// encode makes rows of a document, but packs none.
func (l *look) encode(doc records.Document) error {
	rows, packs, err := l.plan.enc.encode(doc)
	if err != nil || packs && l.plan.spec.Packing {
		return err
	}
	for _, r := range rows {
		if _, _, err := l.shaper.shape(r); err != nil {
			return err
		}
	}
	return nil
}

package records

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"strings"

	"github.com/ranksweep/ranksweep/sweep/trial"
)

// CheckNames reports every name that stands for no file, without reading one; names are as trial.ResolveData gives them. Built-in
// data sets and those of the hub are not looked for.
func CheckNames(names []string) error {
	var errs []error
	for _, name := range names {
		if strings.HasPrefix(name, trial.BuiltinPrefix) || trial.IsHubData(name) {
			continue
		}
		if _, err := expand(name); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// Local returns the files that names stand for, to be looked at: they are not hashed. Built-in data sets and those of the hub are left
// out.
func Local(names []string) ([]Input, error) {
	var inputs []Input
	for _, name := range names {
		if strings.HasPrefix(name, trial.BuiltinPrefix) || trial.IsHubData(name) {
			continue
		}
		paths, err := expand(name)
		if err != nil {
			return nil, err
		}
		for _, path := range paths {
			in, err := local(path)
			if err != nil {
				return nil, err
			}
			inputs = append(inputs, in)
		}
	}
	return inputs, nil
}

// local returns a file that is not hashed.
func local(path string) (in Input, err error) {
	in.Name = path
	if in.Kind, in.packed, err = kindOf(path); err != nil {
		return Input{}, err
	}
	info, err := os.Stat(path)
	if err != nil {
		return Input{}, missing(path, err)
	}
	in.Size = info.Size()
	return in, nil
}

// FirstText returns the place of the first row that takes a tokenizer, as file or file:line; "" where none does. names are
// as for CheckNames, columns as for Input. It reads the first row of jsonl and parquet files, for only those can be pre-tokenised, and
// nothing else.
func FirstText(ctx context.Context, names []string, columns map[string]string) (place string, err error) {
	for _, name := range names {
		if strings.HasPrefix(name, trial.BuiltinPrefix) {
			return name, nil
		}
		if trial.IsHubData(name) {
			continue
		}
		paths, err := expand(name)
		if err != nil {
			return "", err
		}
		for _, path := range paths {
			if place, err := firstText(ctx, path, columns); place != "" || err != nil {
				return place, err
			}
		}
	}
	return "", nil
}

// firstText is FirstText of one file.
func firstText(ctx context.Context, path string, columns map[string]string) (place string, err error) {
	in, err := local(path)
	if err != nil {
		return "", err
	}
	in.Columns, in.OwnNames = columns, true
	if in.Kind != KindJSONL && in.Kind != KindJSON && in.Kind != KindParquet {
		return path, nil
	}
	for doc, err := range in.Documents(ctx) {
		if err != nil || doc.Form == FormIDs {
			return "", err
		}
		return doc.Place, nil
	}
	return "", nil // an empty file
}

// Texts yields the texts of what data.train could name, in order: what a tokenizer is trained on. Rows of another form than
// text are an error.
func Texts(ctx context.Context, names []string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		inputs, err := NewResolver(nil).Resolve(ctx, names, "train")
		if err != nil {
			yield("", err)
			return
		}
		for _, in := range inputs {
			for doc, err := range in.Documents(ctx) {
				if err == nil && doc.Form != FormText {
					err = fmt.Errorf("%w: %s is not plain text", trial.ErrInput, doc.Place)
				}
				if !yield(doc.Text, err) || err != nil {
					return
				}
			}
		}
	}
}

package data

import (
	"context"
	"errors"
	"os"
	"strings"

	"github.com/ranksweep/ranksweep/sweep/trial"
)

// CheckNames reports every name that stands for no file, without reading one; names are as trial.ResolveData gives them. Built-in
// data sets and those of the hub are not looked for.
func CheckNames(names []string) error {
	var errs []error
	for _, name := range names {
		if strings.HasPrefix(name, builtinPrefix) || trial.IsHubData(name) {
			continue
		}
		if _, err := expand(name); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// FirstText returns where the first of the data stands that takes a tokenizer, as file or file:line; "" where none does. names are
// as for CheckNames. It reads the first row of jsonl and parquet files, for only those can be pre-tokenised, and nothing else.
func FirstText(ctx context.Context, names []string) (place string, err error) {
	for _, name := range names {
		if strings.HasPrefix(name, builtinPrefix) {
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
			if place, err := firstText(ctx, path); place != "" || err != nil {
				return place, err
			}
		}
	}
	return "", nil
}

// firstText is FirstText of one file.
func firstText(ctx context.Context, path string) (place string, err error) {
	in := input{name: path}
	if in.kind, in.gzip, err = kindOf(path); err != nil {
		return "", err
	}
	if in.kind != kindJSONL && in.kind != kindParquet {
		return path, nil
	}
	info, err := os.Stat(path)
	if err != nil {
		return "", missing(path, err)
	}
	in.size = info.Size()
	for doc, err := range in.documents(ctx) {
		if err != nil || doc.form == formIDs {
			return "", err
		}
		return doc.place, nil
	}
	return "", nil // an empty file
}

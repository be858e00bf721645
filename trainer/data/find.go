package data

import (
	"errors"
	"strings"

	"github.com/ranksweep/ranksweep/sweep"
)

// CheckNames reports every name that stands for no file, without reading one; names are as sweep.ResolveData gives them. Built-in
// data sets and those of the hub are not looked for.
func CheckNames(names []string) error {
	var errs []error
	for _, name := range names {
		if strings.HasPrefix(name, builtinPrefix) || sweep.IsHubName(name) {
			continue
		}
		if _, err := expand(name); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

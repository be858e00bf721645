package weights

import (
	"embed"
	"fmt"
	"io/fs"
	"slices"
	"strings"
)

//go:embed builtin
var builtin embed.FS

// Builtin opens the files of a model that is part of the program.
func Builtin(name string) (fs.FS, error) {
	names, err := builtinNames()
	if err != nil {
		return nil, err
	}
	if slices.Contains(names, name) {
		return fs.Sub(builtin, "builtin/"+name)
	}
	return nil, fmt.Errorf("%w: no built-in model %q; there is: %s", fs.ErrNotExist, name, strings.Join(names, ", "))
}

func builtinNames() ([]string, error) {
	entries, err := builtin.ReadDir("builtin")
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		if e.IsDir() {
			names = append(names, e.Name())
		}
	}
	return names, nil
}

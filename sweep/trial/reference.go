package trial

import (
	"errors"
	"path/filepath"
	"strings"
)

// builtinPrefix marks models and corpora that the program brings along.
const BuiltinPrefix = "builtin:"

// IsHubName reports whether a name has the form of a hub's data set: owner/name with exactly one slash, optionally followed by
// :split or :config:split, with no wildcard and no file's ending. After ResolveData a name of this form is one.
func IsHubName(name string) bool {
	id, _, _ := strings.Cut(name, ":")
	owner, set, ok := strings.Cut(id, "/")
	if !ok || owner == "" || set == "" || strings.Contains(set, "/") || strings.ContainsAny(name, `*?[\`) || strings.HasPrefix(owner, ".") || strings.HasPrefix(owner, "~") {
		return false
	}
	return strings.Count(name, ":") <= 2 && !hasFileEnding(set)
}

// hasFileEnding reports whether a name ends like a file that holds data, so that a missing file is not looked for on the hub.
func hasFileEnding(name string) bool {
	switch strings.ToLower(filepath.Ext(name)) {
	case ".txt", ".text", ".md", ".jsonl", ".ndjson", ".json", ".csv", ".tsv", ".parquet", ".arrow", ".gz", ".zst", ".bz2", ".xz", ".zip", ".tar":
		return true
	}
	return false
}

// ErrInput says that a person has to fix a grid, a model or a data file.
var ErrInput = errors.New("invalid input")

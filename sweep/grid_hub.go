package sweep

import (
	"os"
	"path/filepath"
	"strings"
)

// IsHubData reports whether a name of data.train or its like is a data set of the Hugging Face hub, for names that are
// relative to dir: it has the form of one, and no such file is there.
func IsHubData(dir, name string) bool {
	if !IsHubName(name) {
		return false
	}
	_, err := os.Stat(filepath.Join(dir, name))
	return err != nil
}

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

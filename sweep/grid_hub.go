package sweep

import (
	"os"
	"path/filepath"
	"strings"
)

// IsHubData reports whether a name of data.train or its like is a data set of the Hugging Face hub, for names that are
// relative to dir: owner/name with exactly one slash, optionally followed by :split or :config:split, where no such file is
// there, no wildcard is in it and the name does not end like a file.
func IsHubData(dir, name string) bool {
	id, _, _ := strings.Cut(name, ":")
	owner, set, ok := strings.Cut(id, "/")
	if !ok || owner == "" || set == "" || strings.Contains(set, "/") || strings.ContainsAny(name, `*?[\`) || strings.HasPrefix(owner, ".") || strings.HasPrefix(owner, "~") {
		return false
	}
	if strings.Count(name, ":") > 2 || hasFileEnding(set) {
		return false
	}
	_, err := os.Stat(filepath.Join(dir, name))
	return err != nil
}

// hasFileEnding reports whether a name ends like a file that holds data, so that a missing file is not looked for on the hub.
func hasFileEnding(name string) bool {
	switch strings.ToLower(filepath.Ext(name)) {
	case ".txt", ".text", ".md", ".jsonl", ".ndjson", ".json", ".csv", ".tsv", ".parquet", ".arrow", ".gz", ".zst", ".bz2", ".xz", ".zip", ".tar":
		return true
	}
	return false
}

package trial

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// ErrInput says that a person has to fix a grid, a model or a data file.
var ErrInput = errors.New("invalid input")

// BuiltinPrefix marks models and corpora that the program brings along.
const BuiltinPrefix = "builtin:"

// GGUFSuffix is how the names of GGUF files end.
const GGUFSuffix = ".gguf"

// ResolveModel says what a model's name means in a folder: builtin:<name> stays, a folder that exists becomes absolute, a hub id
// (owner/name) without such a folder stays, and anything else, such as file.gguf, is a path, made absolute, for whoever opens it
// to miss.
func ResolveModel(dir, ref string) string {
	if strings.HasPrefix(ref, BuiltinPrefix) {
		return ref
	}
	path := ResolvePath(dir, ref)
	info, err := os.Stat(path)
	if isFolder := err == nil && info.IsDir(); !isFolder && IsHubModel(ref) {
		return ref
	}
	return path
}

// ResolveData makes the names of corpora that are relative to a folder absolute, but for those of the hub's data sets.
func ResolveData(dir string, names []string) []string {
	var resolved []string
	for _, name := range names {
		if !isHubData(dir, name) {
			name = ResolvePath(dir, name)
		}
		resolved = append(resolved, name)
	}
	return resolved
}

// ResolvePath makes a path that is relative to a folder absolute; builtin:<name> stays.
func ResolvePath(dir, path string) string {
	if strings.HasPrefix(path, BuiltinPrefix) || filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(dir, path)
}

// isHubID reports whether a name has the form of a repository on the Hugging Face hub: owner/name with exactly one slash, no wildcard
// and no file's ending.
func isHubID(name string) bool {
	owner, repo, ok := strings.Cut(name, "/")
	return ok && owner != "" && repo != "" && !strings.Contains(repo, "/") && !strings.HasPrefix(owner, ".") &&
		!strings.HasPrefix(owner, "~") &&
		!strings.ContainsAny(name, `*?[\`) && !hasFileEnding(repo)
}

// IsHubModel reports whether a name has the form of a model on the hub.
func IsHubModel(name string) bool {
	return isHubID(name) && !strings.Contains(name, ":") && !strings.HasSuffix(name, GGUFSuffix)
}

// IsHubData reports whether a name has the form of a data set on the hub: a hub id, optionally followed by :split or
// :config:split. After ResolveData a name of this form is one.
func IsHubData(name string) bool {
	id, split, _ := strings.Cut(name, ":")
	return isHubID(id) && strings.Count(split, ":") <= 1 && !strings.ContainsAny(split, `*?[\`)
}

// isHubData is IsHubData for names that are relative to dir: no such file is there.
func isHubData(dir, name string) bool {
	if !IsHubData(name) {
		return false
	}
	_, err := os.Stat(filepath.Join(dir, name))
	return err != nil
}

// hasFileEnding reports whether a name ends like a file that holds data, so that a missing file is not looked for on the hub.
func hasFileEnding(name string) bool {
	endings := []string{
		".txt", ".text", ".md", ".jsonl", ".ndjson", ".json", ".csv", ".tsv", ".parquet", ".arrow", ".gz", ".zst", ".bz2", ".xz", ".zip", ".tar",
	}
	return slices.Contains(endings, strings.ToLower(filepath.Ext(name)))
}

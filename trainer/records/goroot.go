package records

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/ranksweep/ranksweep/sweep/trial"
)

// goRoot finds a Go distribution with its sources: $GOROOT, the go command in $PATH, then where distributions are usually
// installed. It starts no process; the program's own runtime does not know the place when it was built with -trimpath.
func goRoot(getenv func(string) string) (string, error) {
	candidates := []string{getenv("GOROOT")}
	for _, dir := range filepath.SplitList(getenv("PATH")) {
		if command, err := filepath.EvalSymlinks(filepath.Join(dir, "go")); err == nil {
			candidates = append(candidates, filepath.Dir(filepath.Dir(command)))
		}
	}
	candidates = append(candidates, usualGoRoots(getenv("HOME"))...)
	for _, root := range candidates {
		if root != "" && isGoRoot(root) {
			return root, nil
		}
	}
	return "", fmt.Errorf("%w: the built-in data sets read the sources of a Go distribution, and none was found: install Go, set "+
		"GOROOT, or name other files in data.train", trial.ErrInput)
}

// usualGoRoots lists where installers and package managers put Go, the newest of a pattern first.
func usualGoRoots(home string) []string {
	roots := []string{"/usr/local/go", "/usr/lib/go", "/usr/lib/golang", "/opt/homebrew/opt/go/libexec", "/usr/local/opt/go/libexec"}
	patterns := []string{"/usr/lib/go-*", "/opt/go*"}
	if home != "" {
		patterns = append(patterns, filepath.Join(home, "sdk", "go*"), filepath.Join(home, "go/pkg/mod/golang.org/toolchain@*"))
	}
	for _, pattern := range patterns {
		matches, err := filepath.Glob(pattern)
		if err != nil {
			continue // only a malformed pattern fails, as one made from an odd $HOME may be
		}
		slices.Reverse(matches)
		roots = append(roots, matches...)
	}
	return roots
}

func isGoRoot(root string) bool {
	for _, name := range []string{"VERSION", "src/fmt/print.go", "src/net/http/server.go"} {
		if _, err := os.Stat(filepath.Join(root, name)); err != nil {
			return false
		}
	}
	return true
}

// goFile is one source file of the standard library, named from the src folder.
type goFile struct {
	name string
	size int64
}

// goFiles lists the sources of the standard library but for tests, test data and vendored code, by name. The commands are
// left out: half of them is tables of machine instructions.
func goFiles(root string) ([]goFile, error) {
	src, err := filepath.EvalSymlinks(filepath.Join(root, "src")) // Debian's src is a link
	if err != nil {
		return nil, fmt.Errorf("list the Go distribution's sources: %w", err)
	}
	var files []goFile
	err = filepath.WalkDir(src, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := entry.Name()
		if entry.IsDir() {
			if name == "testdata" || name == "vendor" || path == filepath.Join(src, "cmd") || strings.HasPrefix(name, "_") ||
				strings.HasPrefix(name, ".") {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") || !entry.Type().IsRegular() {
			return nil
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(src, path)
		files = append(files, goFile{name: filepath.ToSlash(rel), size: info.Size()})
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list the Go distribution's sources: %w", err)
	}
	return files, nil
}

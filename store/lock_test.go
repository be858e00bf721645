package store_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ranksweep/ranksweep/store"
)

// TestLocksAreNoLinks: a lock, or the folder of the locks, that was made as a link beforehand is not followed: nothing is made elsewhere.
func TestLocksAreNoLinks(t *testing.T) {
	t.Parallel()
	for _, place := range []string{"locks/migrate.lock", "locks"} {
		root, elsewhere := t.TempDir(), t.TempDir()
		target := filepath.Join(elsewhere, "target")
		if place == "locks" {
			must(t, os.Mkdir(target, 0o700))
		} else {
			must(t, os.Mkdir(filepath.Join(root, "locks"), 0o700))
		}
		must(t, os.Symlink(target, filepath.Join(root, place)))
		db, err := store.Open(t.Context(), filepath.Join(root, "sweep.db"))
		if err == nil {
			must(t, db.Close())
		}
		if err == nil || !strings.Contains(err.Error(), place+" is a symbolic link") || strings.Contains(err.Error(), "--root") {
			t.Errorf("%s: Open = %v", place, err)
		}
		if made, err := os.ReadDir(target); len(made) > 0 || errors.Is(err, fs.ErrNotExist) != (place != "locks") {
			t.Errorf("%s: something was made elsewhere: %v, %v", place, made, err)
		}
	}
}

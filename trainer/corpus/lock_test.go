package corpus

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

// TestLockIsNoLink: a lock that was made as a link beforehand is refused, and nothing is made where it leads.
func TestLockIsNoLink(t *testing.T) {
	t.Parallel()
	path, target := filepath.Join(t.TempDir(), "corpus.lock"), filepath.Join(t.TempDir(), "target")
	if err := os.Symlink(target, path); err != nil {
		t.Fatal(err)
	}
	if _, err := lock(t.Context(), path); err == nil {
		t.Error("a link was taken for a lock")
	}
	if _, err := os.Lstat(target); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("where the link leads: %v, want nothing", err)
	}
}

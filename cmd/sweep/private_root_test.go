package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestRootIsPrivate: a root holds text of the user's data. One that is made is the owner's alone, and doctor tells of one that is not.
func TestRootIsPrivate(t *testing.T) {
	t.Parallel()
	root := filepath.Join(t.TempDir(), "runs")
	a := app{root: root}
	db, err := a.openStore(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	const warning = "others on this machine can look into "
	for _, mode := range []os.FileMode{0o700, 0o755, 0o750} {
		if mode != 0o700 { // which openStore has made
			if err := os.Chmod(root, mode); err != nil {
				t.Fatal(err)
			}
			if db, err = a.openStore(t.Context()); err != nil || db.Close() != nil {
				t.Fatal(err)
			}
		}
		info, err := os.Stat(root)
		if err != nil || info.Mode().Perm() != mode {
			t.Errorf("%v, %v, want %v", info.Mode(), err, mode)
		}
		_, stdout, _ := sweepCommand(t, "doctor", "--backend", "go", "--root", root)
		if warns := strings.Contains(stdout, warning+root); warns != (mode != 0o700) {
			t.Errorf("mode %v:\n%s", mode, stdout)
		}
	}
}

package store_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ranksweep/ranksweep/store"
)

// TestUnusableDatabaseIsSaidOnce: what a file is instead of a database is said in words, once, with a command that can be pasted.
func TestUnusableDatabaseIsSaidOnce(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		text, says string
	}{
		"empty": {"", "it is empty: sweep doctor --repair --root '"},
		"text":  {strings.Repeat("no database\n", 99), "it is not a database of SQLite: sweep doctor --repair --root '"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "a root", "sweep.db")
			if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(c.text), 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := store.OpenReadOnly(t.Context(), path)
			if err == nil || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "goose") {
				t.Errorf("OpenReadOnly = %v, want %q", err, c.says)
			}
		})
	}
}

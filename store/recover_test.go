package store_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/ranksweep/ranksweep/store"
	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

// TestRecover: a lost or an empty database is made anew, beside workers too; one that is there stays as it is, and one that a command has
// open to write is left to it.
func TestRecover(t *testing.T) {
	t.Parallel()
	for name, lose := range map[string]func(path string) error{
		"lost": os.Remove, "empty": func(path string) error { return os.Truncate(path, 0) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			root, want := ran(t)
			path := filepath.Join(root, "sweep.db")
			if losses, recovered, err := store.Recover(t.Context(), root, nothing); recovered || len(losses) > 0 || err != nil {
				t.Fatalf("where there is one: Recover = %v, %t, %v", losses, recovered, err)
			}
			worker, err := trial.LockEvents(filepath.Dir(firstLog(t, root)))
			must(t, err)
			defer worker.Close() //nolint:errcheck // read only
			db := openAt(t, path)
			must(t, lose(path))
			if _, recovered, err := store.Recover(t.Context(), root, nothing); recovered || !errors.Is(err, sweep.ErrLocked) {
				t.Fatalf("beside one who has it open to write: %t, %v, want ErrLocked", recovered, err)
			}
			must(t, db.Close())
			losses, recovered, err := store.Recover(t.Context(), root, nothing)
			if !recovered || len(losses) > 0 || err != nil {
				t.Fatalf("Recover = %v, %t, %v", losses, recovered, err)
			}
			sameFacts(t, want, reopened(t, root))
		})
	}
	if _, recovered, err := store.Recover(t.Context(), t.TempDir(), nothing); recovered || err != nil {
		t.Errorf("where nothing was run: %t, %v", recovered, err)
	}
}

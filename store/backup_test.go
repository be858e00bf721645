package store_test

import (
	"errors"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ranksweep/ranksweep/store"
)

// TestBackup: the copy of an open database holds all that was written, though the file alone does not.
func TestBackup(t *testing.T) {
	t.Parallel()
	db := open(t)
	id, err := db.CreateSweep(t.Context(), info("notes"))
	if err == nil {
		err = db.Register(t.Context(), id, registration())
	}
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	path := filepath.Join(dir, "copy.db")
	reader, err := store.OpenReadOnly(t.Context(), db.Path())
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close() //nolint:errcheck // read only
	if err := reader.Backup(t.Context(), path); err != nil {
		t.Fatal(err)
	}
	want, err := db.Snapshot(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	backup := openAt(t, path)
	got, err := backup.Snapshot(t.Context(), id)
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("the backup differs (%v):\n%s", err, diff)
	}
	if err := reader.Backup(t.Context(), path); !errors.Is(err, fs.ErrExist) {
		t.Errorf("over a file: %v", err)
	}
	nowhere := filepath.Join(dir, "missing", "copy.db")
	if err := reader.Backup(t.Context(), nowhere); err == nil || !strings.Contains(err.Error(), "no such file") {
		t.Errorf("into no folder: %v", err)
	}
	if rest, err := filepath.Glob(filepath.Join(dir, "*.tmp*")); err != nil || len(rest) > 0 {
		t.Errorf("left behind: %v, %v", rest, err)
	}
}

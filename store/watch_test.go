package store_test

import (
	"path/filepath"
	"testing"

	"github.com/ranksweep/ranksweep/store"
)

// TestWatch: a reader learns of what others commit, once, and does not keep them from writing.
func TestWatch(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "sweep.db")
	writer := openAt(t, path)
	reader, err := store.OpenReadOnly(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close() //nolint:errcheck // read only
	watch, err := reader.Watch(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer watch.Close() //nolint:errcheck // read only
	changed := func() bool {
		t.Helper()
		yes, err := watch.Changed(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return yes
	}
	if first, again := changed(), changed(); !first || again {
		t.Errorf("asked twice at first: %v, %v, want true, false", first, again)
	}
	for _, name := range []string{"one", "two"} {
		if _, err := writer.CreateSweep(t.Context(), info(name)); err != nil {
			t.Fatal(err)
		}
		if _, err := reader.List(t.Context()); err != nil {
			t.Fatal(err)
		}
		if first, again := changed(), changed(); !first || again {
			t.Errorf("asked twice after a write: %v, %v, want true, false", first, again)
		}
	}
}

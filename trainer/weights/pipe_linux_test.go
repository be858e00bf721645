package weights_test

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/ranksweep/ranksweep/trainer/weights"
)

// TestPipesAreNoSettings: reading one would wait for ever.
func TestPipesAreNoSettings(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := syscall.Mkfifo(filepath.Join(dir, weights.ConfigFile), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := weights.ReadText(os.DirFS(dir), weights.ConfigFile); !errors.Is(err, weights.ErrFormat) {
		t.Errorf("%v", err)
	}
}

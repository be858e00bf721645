package records

import (
	"errors"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/ranksweep/ranksweep/sweep/trial"
)

// TestPipesAreNoData: reading one would wait for ever, and again for a second pass.
func TestPipesAreNoData(t *testing.T) {
	t.Parallel()
	pipe := filepath.Join(t.TempDir(), "rows.jsonl")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		pipe: "is a pipe or a device", "/dev/zero": "is a pipe or a device", filepath.Join(filepath.Dir(pipe), "*.jsonl"): "matches no file",
	} {
		_, err := NewResolver(nil).Resolve(t.Context(), []string{name}, "train")
		if !errors.Is(err, trial.ErrInput) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

package trainer_test

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/ranksweep/ranksweep/sweep/trial"
	"github.com/ranksweep/ranksweep/trainer"
)

// TestCheckpointWithoutEnd: what is damaged takes no memory. The test is not parallel, so that it sees what it takes alone.
func TestCheckpointWithoutEnd(t *testing.T) {
	path := filepath.Join(t.TempDir(), "step-00000001.ckpt")
	if err := errors.Join(os.WriteFile(path, nil, 0o600), os.Truncate(path, 1<<28)); err != nil {
		t.Fatal(err)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	err := trainer.CheckCheckpoint(path)
	runtime.ReadMemStats(&after)
	if taken := after.TotalAlloc - before.TotalAlloc; !errors.Is(err, trial.ErrDamaged) || taken > 1<<20 {
		t.Errorf("%v, with %d bytes", err, taken)
	}
}

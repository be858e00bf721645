package trial_test

import (
	"math"
	"testing"

	"github.com/ranksweep/ranksweep/sweep/trial"
)

func TestFreeBytes(t *testing.T) {
	t.Parallel()
	if n, err := trial.FreeBytes(t.TempDir()); err != nil || n <= 0 || n == math.MaxInt64 {
		t.Errorf("of a folder on a disk: %d, %v", n, err)
	}
	if n, err := trial.FreeBytes("/proc"); err != nil || n != math.MaxInt64 {
		t.Errorf("of a file system that does not say: %d, %v", n, err)
	}
	if _, err := trial.FreeBytes("/proc/nothing"); err == nil {
		t.Error("of a folder that is not there: no error")
	}
}

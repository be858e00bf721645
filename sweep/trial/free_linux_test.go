package trial_test

import (
	"testing"

	"github.com/ranksweep/ranksweep/sweep/trial"
)

func TestFreeBytes(t *testing.T) {
	t.Parallel()
	if n, known, err := trial.FreeBytes("."); err != nil || !known || n <= 0 {
		t.Errorf("of a folder on a disk: %d, %t, %v", n, known, err)
	}
	if n, known, err := trial.FreeBytes("/proc"); err != nil || known {
		t.Errorf("of a file system that does not say: %d, %t, %v", n, known, err)
	}
	if _, _, err := trial.FreeBytes("/proc/nothing"); err == nil {
		t.Error("of a folder that is not there: no error")
	}
}

package trial_test

import (
	"testing"

	"github.com/ranksweep/ranksweep/sweep/trial"
)

func TestFormatBytes(t *testing.T) {
	t.Parallel()
	for n, want := range map[int64]string{
		0: "0 B", 1023: "1023 B", 1024: "1 KiB", 1536 << 10: "1.5 MiB", 10239: "10 KiB",
		1<<20 - 1: "1.0 MiB", 12 << 30: "12 GiB", 8 << 30: "8 GiB", 1000 << 20: "1000 MiB", 1 << 62: "4 EiB", -2048: "-2 KiB",
	} {
		if got := trial.FormatBytes(n); got != want {
			t.Errorf("FormatBytes(%d) = %s, want %s", n, got, want)
		}
	}
}

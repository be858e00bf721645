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

func TestBytesReadsWhatPeopleWrite(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]trial.Bytes{"8GiB": 8 << 30, "1.5 GB": 1_500_000_000, "512MiB": 512 << 20, "7B": 7} {
		got, err := trial.ParseBytes(text)
		if err != nil || got != want {
			t.Errorf("ParseBytes(%q) = %d, %v, want %d", text, got, err, want)
		}
		var again trial.Bytes
		if err := again.UnmarshalText([]byte(got.String())); err != nil || again != want {
			t.Errorf("%q written as %q reads as %d, %v", text, got, again, err)
		}
	}
	for _, text := range []string{"", "8", "8 gib", "-1GiB", "0GiB", "1e3MB", "99999999999TiB", "8GiB\n"} {
		if got, err := trial.ParseBytes(text); err == nil {
			t.Errorf("ParseBytes(%q) = %d, want an error", text, got)
		}
	}
}

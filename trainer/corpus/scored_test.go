package corpus

import (
	"strings"
	"testing"

	"github.com/ranksweep/ranksweep/sweep/trial"
	"github.com/ranksweep/ranksweep/trainer/records/recordstest"
)

// TestValidationRowsAreKnownByThemselves: whatever is trained on, rows that score the same tokens have one fingerprint.
func TestValidationRowsAreKnownByThemselves(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	val := recordstest.Write(t, dir, "val.txt", strings.Repeat("no. ", 40))
	other := recordstest.Write(t, dir, "other.txt", strings.Repeat("yes. ", 40))
	some := recordstest.Write(t, dir, "a.txt", strings.Repeat("Anne. ", 40))
	more := recordstest.Write(t, dir, "b.txt", strings.Repeat("Hi. ", 40))
	sum := func(spec trial.DataSpec) string {
		info := prepare(t, spec).Info()
		if len(info.ValidationRows) != 64 {
			t.Fatalf("%v: the validation rows are known as %q", spec, info.ValidationRows)
		}
		return info.ValidationRows
	}
	spec := trial.DataSpec{Train: []string{some}, Validation: []string{val}, SequenceLength: 8, Packing: true}
	want := sum(spec)
	for name, tc := range map[string]struct {
		change func(*trial.DataSpec)
		same   bool
	}{
		"other training data":    {func(s *trial.DataSpec) { s.Train = []string{some, more} }, true},
		"other validation data":  {func(s *trial.DataSpec) { s.Validation = []string{other} }, false},
		"longer rows":            {func(s *trial.DataSpec) { s.SequenceLength = 16 }, false},
		"fewer of them":          {func(s *trial.DataSpec) { s.ValidationSequences = 2 }, false},
		"documents in their own": {func(s *trial.DataSpec) { s.Packing = false }, false},
	} {
		changed := spec
		tc.change(&changed)
		if got := sum(changed); (got == want) != tc.same {
			t.Errorf("%s: the validation rows are the same: %t, want %t", name, got == want, tc.same)
		}
	}
}

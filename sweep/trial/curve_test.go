package trial

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestThin(t *testing.T) {
	t.Parallel()
	curve := []StepTrainLoss{{1, 5}, {2, 3}, {3, 2}, {4, 4}, {5, 1}}
	for most, want := range map[int][]StepTrainLoss{
		5: curve,
		3: {{2, 4}, {4, 3}, {5, 1}},
		2: {{3, 10.0 / 3}, {5, 2.5}},
		1: {{5, 3}},
	} {
		if diff := cmp.Diff(want, Thin(curve, most)); diff != "" {
			t.Errorf("Thin to %d (-want +got):\n%s", most, diff)
		}
	}
}

package backend

import (
	"testing"

	"github.com/ranksweep/ranksweep/sweep/trial"
)

func TestDtypeTakesWhatIsClearlyFaster(t *testing.T) {
	t.Parallel()
	for speedup, want := range map[float64]string{
		0: trial.DtypeFloat32, 0.7: trial.DtypeFloat32, 1.2: trial.DtypeFloat32, 1.3: trial.DtypeBFloat16, 9: trial.DtypeBFloat16,
	} {
		if got := (Choice{BFloat16Speedup: speedup}).Dtype(); got != want {
			t.Errorf("products %g times as fast in bfloat16: %s, want %s", speedup, got, want)
		}
	}
}

func TestProbeMeasuresProducts(t *testing.T) {
	t.Parallel()
	choice, err := Resolve(t.Context(), PlatformCPU)
	if err != nil {
		t.Skipf("no CPU plug-in: %v", err)
	}
	if s := choice.BFloat16Speedup; s < 0.05 || s > 50 {
		t.Errorf("products are %g times as fast in bfloat16", s)
	}
	t.Logf("products are %.2f times as fast in bfloat16", choice.BFloat16Speedup)
}

package plateau

import (
	"math"
	"testing"
)

// TestTrigammaInverse: ψ′(1) = π²/6 and ψ′(1/2) = π²/2 are closed forms; the others were computed with scipy 1.17.1
// (testdata/judge_reference.py).
func TestTrigammaInverse(t *testing.T) {
	t.Parallel()
	tests := []struct{ x, want float64 }{
		{math.Pi * math.Pi / 6, 1},
		{math.Pi * math.Pi / 2, 0.5},
		{1e-3, 1000.4999166666818},
		{0.05, 20.49583523915461},
		{0.5, 2.459952948352307},
		{4.2, 0.550065663160684},
		{60, 0.13060837791634566},
		{5e4, 0.004472209042536223},
	}
	for _, tt := range tests {
		if got := trigammaInverse(tt.x); math.Abs(got/tt.want-1) > 1e-10 {
			t.Errorf("trigammaInverse(%v) = %v, want %v", tt.x, got, tt.want)
		}
	}
}

func TestTrigammaInverseFarOut(t *testing.T) {
	t.Parallel()
	for _, x := range []float64{1e-9, 1e-7, 1e8, 1e12} {
		if back := trigamma(trigammaInverse(x)); math.Abs(back/x-1) > 1e-3 {
			t.Errorf("ψ′(ψ′⁻¹(%v)) = %v", x, back)
		}
	}
}

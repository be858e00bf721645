package sweep_test

import (
	"math"
	"testing"

	"github.com/ranksweep/ranksweep/sweep"
)

// Quantiles from tables: t(0.975, 2) = 4.30265, t(0.975, 10) = 2.22814, normal 1.95996.
func TestResolution(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name         string
		noise        float64
		seeds, rungs int
		second, last float64
		relative     bool
	}{
		{"three seeds, six ranks between which ν grows to 8", 0, 3, 6, 4.30265 * math.Sqrt2 * 0.0025 / math.Sqrt(3), 2.30600 * math.Sqrt2 * 0.0025 / math.Sqrt(3), true},
		{"noise in nats", 0.01, 3, 7, 4.30265 * math.Sqrt2 * 0.01 / math.Sqrt(3), 2.22814 * math.Sqrt2 * 0.01 / math.Sqrt(3), false},
		{"two ranks have one pair", 0.01, 3, 2, 4.30265 * math.Sqrt2 * 0.01 / math.Sqrt(3), 4.30265 * math.Sqrt2 * 0.01 / math.Sqrt(3), false},
		{"one seed", 0.01, 1, 6, 1.95996 * math.Sqrt2 * 0.01, 1.95996 * math.Sqrt2 * 0.01, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := sweep.DefaultPlateau()
			p.NoiseSD = tt.noise
			got := p.Resolution(tt.seeds, tt.rungs)
			if math.Abs(got.Second-tt.second) > 1e-5*tt.second || math.Abs(got.Last-tt.last) > 1e-5*tt.last || got.Relative != tt.relative {
				t.Errorf("Resolution(%d, %d) = %+v, want %v and %v", tt.seeds, tt.rungs, got, tt.second, tt.last)
			}
		})
	}
}

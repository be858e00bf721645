package plateau

import (
	"math"
	"testing"
)

// TestRaceScouts: 0.006·5.0 = 0.03 is what one run may be off by, √2 of that a difference, and the bound at 0.05/4 over two others lies
// z(0.99375) = 2.4977 of these, 0.10597, below it. With a noise of 0.003 measured with four degrees of freedom it is
// t(0.99375, 4) = 4.3147 times 0.00424.
func TestRaceScouts(t *testing.T) {
	t.Parallel()
	rule := DefaultRule()
	cells := []Shown{
		{Loss: 5.0, Least: 4.980, MinGain: 0.025},
		{Loss: 4.7, Least: 4.6, MinGain: 0.024},
		{Loss: 4.83, Least: 4.8265, MinGain: 0.024}, // 0.1265 − 0.10237 = 0.0241 at least
	}
	lags := rule.RaceScouts(cells, nil)
	if lags[1] != nil || lags[0] == nil || lags[2] == nil {
		t.Fatalf("out: %+v", lags)
	}
	if l := lags[0]; l.Leader != 1 || len(l.Behind) != 1 || math.Abs(l.Behind[0]-0.3) > 1e-12 || math.Abs(l.Left.Mean-0.28) > 1e-12 ||
		math.Abs(*l.Left.Lo-(0.28-0.10597)) > 1e-4 {
		t.Errorf("lag %+v, at least %v", *l, *l.Left.Lo)
	}
	cells[2].Least = 4.826
	if lags := rule.RaceScouts(cells, nil); lags[2] != nil {
		t.Errorf("out by %v only", *lags[2].Left.Lo)
	}
	cells[2].Least = 4.7425 // 0.0425 − 0.0183 = 0.0242 at least
	if lags := rule.RaceScouts(cells, &Noise{0.003, 4}); lags[2] == nil || math.Abs(*lags[2].Left.Lo-(0.0425-0.018306)) > 1e-5 {
		t.Errorf("by a measured noise: %+v", lags[2])
	}
	rule.NoiseSD = 0.003
	if lags := rule.RaceScouts(cells, nil); lags[2] == nil {
		t.Error("in although the noise is known to be small")
	}
	if lags := rule.RaceScouts(cells[:1], nil); lags[0] != nil {
		t.Error("the only cell is out")
	}
}

package plateau

import (
	"math"
	"testing"
)

// TestRaceScouts: 0.006·5.0 = 0.03 is what one run may be off by, √2 of that a difference, and the bound at 0.05/2 over two others lies
// z(0.9875) = 2.2414 of these, 0.0951, below it.
func TestRaceScouts(t *testing.T) {
	t.Parallel()
	rule := DefaultRule()
	cells := []Shown{
		{Top: 5.1, Loss: 5.0, Least: 4.980, MinGain: 0.025},
		{Top: 4.7, Loss: 4.65, Least: 4.6, MinGain: 0.024},
		{Top: 4.83, Loss: 4.83, Least: 4.816, MinGain: 0.024}, // 0.116 − 0.09187 = 0.0241 at least
	}
	lags := rule.RaceScouts(cells)
	if lags[1] != nil || lags[0] == nil || lags[2] == nil {
		t.Fatalf("out: %+v", lags)
	}
	if l := lags[0]; l.Leader != 1 || len(l.Behind) != 1 || math.Abs(l.Behind[0]-0.3) > 1e-12 || math.Abs(l.Left.Mean-0.28) > 1e-12 ||
		math.Abs(*l.Left.Lo-(0.28-0.0951)) > 1e-4 {
		t.Errorf("lag %+v, at least %v", *l, *l.Left.Lo)
	}
	cells[2].Least = 4.8155
	if lags := rule.RaceScouts(cells); lags[2] != nil {
		t.Errorf("out by %v only", *lags[2].Left.Lo)
	}
	rule.NoiseSD, rule.NoiseSource = 0.003, "sweep other"
	if lags := rule.RaceScouts(cells); lags[2] != nil {
		t.Error("out by the noise of another sweep, which nobody gave")
	}
	rule.NoiseSource = NoiseFromGrid
	if lags := rule.RaceScouts(cells); lags[2] == nil {
		t.Error("in although the noise is given and small")
	}
	if lags := rule.RaceScouts(cells[:1]); lags[0] != nil {
		t.Error("the only cell is out")
	}
}

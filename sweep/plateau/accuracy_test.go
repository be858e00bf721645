package plateau_test

import (
	"testing"

	"github.com/ranksweep/ranksweep/sweep/plateau"
)

func TestLooksLikeAccuracy(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		means []float64
		want  bool
	}{
		"rising shares":       {[]float64{0, 0.3, 1}, true},
		"more rises":          {[]float64{0.2, 0.4, 0.3, 0.5}, true},
		"as many falls":       {[]float64{0.2, 0.4, 0.3}, false},
		"falling shares":      {[]float64{0.4, 0.3, 0.2}, false},
		"rising above 1":      {[]float64{0.2, 0.4, 1.1}, false},
		"rising from below 0": {[]float64{-0.1, 0.2, 0.4}, false},
		"one rank":            {[]float64{0.4}, false},
	} {
		var rungs []plateau.Losses
		for i, m := range tt.means {
			rungs = append(rungs, plateau.Losses{Rank: 1 << i, Seeds: []int64{0}, ValLoss: []float64{m}})
		}
		if got := plateau.LooksLikeAccuracy(rungs); got != tt.want {
			t.Errorf("%s: %v, want %v", name, got, tt.want)
		}
	}
}

package page

import (
	"math"
	"testing"
)

// TestRankTicks: labels of many ranks keep their distance, and the recommended one is there.
func TestRankTicks(t *testing.T) {
	t.Parallel()
	var ranks []int
	var values []float64
	for r := 1; r <= 64; r++ {
		ranks, values = append(ranks, r), append(values, float64(r))
	}
	ticks := rankTicks(span(values, true, 0.06), ranks, 61)
	strong := 0
	for i, tick := range ticks {
		if tick.Strong && tick.Label == "61" {
			strong++
		}
		if i > 0 && tick.At-ticks[i-1].At < roomOfRank {
			t.Errorf("%s and %s are %.1f %% apart", ticks[i-1].Label, tick.Label, tick.At-ticks[i-1].At)
		}
	}
	if strong != 1 || len(ticks) < 10 {
		t.Errorf("%d labels of 64 ranks, %d of them the recommended one: %v", len(ticks), strong, ticks)
	}
}

// TestScales: ticks are round, lie within the scale, and are enough to read it.
func TestScales(t *testing.T) {
	t.Parallel()
	for _, s := range []scale{
		span([]float64{4.61, 4.83}, false, 0.1), span([]float64{3, 3}, false, 0.1), span([]float64{1, 1e6}, true, 0.1),
		span([]float64{512, 513}, true, 0.1), fromZero([]float64{0.003}), fromZero(nil), span(nil, true, 0.1), span([]float64{-2, 5}, false, 0),
	} {
		for name, ticks := range map[string][]float64{"plain": s.ticks(5), "clock": s.clockTicks(5)} {
			if len(ticks) < 2 || len(ticks) > 12 {
				t.Errorf("%+v has %s ticks %v", s, name, ticks)
			}
			for _, v := range ticks {
				if at := s.at(v); math.IsNaN(at) || at < -1e-9 || at > 1+1e-9 {
					t.Errorf("%+v has a %s tick at %v", s, name, v)
				}
			}
		}
	}
}

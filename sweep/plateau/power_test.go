package plateau_test

import (
	"math"
	"testing"

	"github.com/ranksweep/ranksweep/sweep/plateau"
)

// Quantiles from tables: t(0.975, 2) = 4.30265, t(0.975, 3) = 3.18245, t(0.975, 6) = 2.44691, t(0.975, 7) = 2.36462,
// normal 1.95996.
func TestResolution(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name         string
		noise        float64
		seeds, rungs int
		second, last float64
		relative     bool
	}{
		{
			"three seeds, six ranks between which ν grows to 6", 0, 3, 6, 4.30265 * math.Sqrt2 * 0.0025 / math.Sqrt(3),
			2.44691 * math.Sqrt2 * 0.0025 / math.Sqrt(3), true,
		},
		{"noise in nats", 0.01, 3, 7, 4.30265 * math.Sqrt2 * 0.01 / math.Sqrt(3), 2.36462 * math.Sqrt2 * 0.01 / math.Sqrt(3), false},
		{"three ranks have two pairs", 0.01, 3, 3, 4.30265 * math.Sqrt2 * 0.01 / math.Sqrt(3), 3.18245 * math.Sqrt2 * 0.01 / math.Sqrt(3), false},
		{"two ranks have one pair", 0.01, 3, 2, 4.30265 * math.Sqrt2 * 0.01 / math.Sqrt(3), 4.30265 * math.Sqrt2 * 0.01 / math.Sqrt(3), false},
		{"one rank has none", 0.01, 3, 1, 4.30265 * math.Sqrt2 * 0.01 / math.Sqrt(3), 4.30265 * math.Sqrt2 * 0.01 / math.Sqrt(3), false},
		{"one seed", 0.01, 1, 6, 1.25 * 1.95996 * math.Sqrt2 * 0.01, 1.25 * 1.95996 * math.Sqrt2 * 0.01, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := plateau.DefaultRule()
			p.NoiseSD, p.NoiseSource = tt.noise, plateau.NoiseFromGrid
			got := p.Resolution(tt.seeds, tt.rungs)
			if math.Abs(got.Second-tt.second) > 1e-5*tt.second || math.Abs(got.Last-tt.last) > 1e-5*tt.last || got.Relative != tt.relative {
				t.Errorf("Resolution(%d, %d) = %+v, want %v and %v", tt.seeds, tt.rungs, got, tt.second, tt.last)
			}
		})
	}
}

// TestResolutionIsTheRule compares with Judge at its best: where no pair varies less than the one before it, the trend has
// no slope and the most degrees of freedom. The losses are binary fractions, so that the variances are exact.
func TestResolutionIsTheRule(t *testing.T) {
	t.Parallel()
	const noise = 0.01
	p := plateau.DefaultRule()
	p.NoiseSD = noise
	for _, seeds := range []int{2, 3, 5} {
		for rungs := 2; rungs <= 9; rungs++ {
			ranks, y := make([]int, rungs), make([][]float64, rungs)
			for r := range rungs {
				ranks[r] = 1 << r
				for s := range seeds {
					y[r] = append(y[r], 4+float64(s)*float64(r)*(1+float64(r)/1024)/1024)
				}
			}
			rows := judge(t, p, ladder(ranks, y)).Rungs
			last := rows[rungs-1]
			if want := float64(seeds-1) * (1 + float64(rungs-2)/2); last.DF == nil || *last.DF != want {
				t.Errorf("%d seeds, %d rungs: Judge has %v degrees of freedom, want %v", seeds, rungs, last.DF, want)
			}
			got := p.Resolution(seeds, rungs)
			for i, width := range map[int]float64{1: got.Second, rungs - 1: got.Last} {
				quantile := (*rows[i].Gain.Hi - *rows[i].Gain.Lo) / 2 / rows[i].SD // over √n
				if want := quantile * math.Sqrt2 * noise; math.Abs(width/want-1) > 1e-9 {
					t.Errorf("%d seeds, %d rungs: smallest gain at rung %d = %v, want Judge's %v", seeds, rungs, i+1, width, want)
				}
			}
		}
	}
}

// TestResolutionOfOneSeed compares with Judge on losses that are all equal: one seed certifies a plateau above the smallest gain and none
// below, and on a noise that nobody gave it never does.
func TestResolutionOfOneSeed(t *testing.T) {
	t.Parallel()
	p := plateau.DefaultRule()
	p.NoiseSD, p.NoiseSource = 0.01, plateau.NoiseFromFlag
	smallest := p.Resolution(1, 3).Second
	equal := ladder([]int{1, 2, 4}, [][]float64{{4}, {4}, {4}})
	for gain, want := range map[float64]plateau.State{
		1.001 * smallest: plateau.StatePlateau, 0.999 * smallest: plateau.StateLikelyPlateau,
	} {
		p.MinGain.Value, p.MinGain.Relative = gain, false
		if v := judge(t, p, equal); v.State != want {
			t.Errorf("min_gain %v of a smallest gain of %v: %s, want %s", gain, smallest, v.State, want)
		}
	}
	for _, source := range []string{plateau.NoiseDefault, "sweep before"} {
		p.NoiseSource, p.MinGain.Value = source, 1
		if r, v := p.Resolution(1, 3), judge(t, p, equal); r != nil || v.State != plateau.StateLikelyPlateau {
			t.Errorf("noise from %q: smallest gain %+v, and %s", source, r, v.State)
		}
	}
}

func TestSeedsNeeded(t *testing.T) {
	t.Parallel()
	rule := plateau.DefaultRule()
	n := rule.SeedsNeeded(5)
	enough, fewer := rule.Resolution(*n.Second, 5), rule.Resolution(*n.Second-1, 5)
	if enough.Second >= rule.MinGain.Value || fewer.Second < rule.MinGain.Value {
		t.Errorf("%d seeds tell %v at the second rank and one fewer %v, want the fewest that tell %v", *n.Second, enough.Second,
			fewer.Second, rule.MinGain.Value)
	}
	if *n.Last >= *n.Second {
		t.Errorf("%d seeds at the last rank, %d at the second; the last shares variances", *n.Last, *n.Second)
	}
	rule.MinGain.Value = 1e-6
	if n := rule.SeedsNeeded(5); n.Second != nil || n.Last != nil {
		t.Errorf("a tiny min_gain needs %+v, want more than is counted", n)
	}
	rule = plateau.DefaultRule()
	rule.NoiseSD = 0.01 // nats, where min_gain is a share of an unknown loss
	if n := rule.SeedsNeeded(5); n.Second != nil || n.Last != nil {
		t.Errorf("nats against a share = %+v, want nothing", n)
	}
}

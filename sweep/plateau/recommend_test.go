package plateau_test

import (
	"math"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/ranksweep/ranksweep/sweep/plateau"
	"github.com/ranksweep/ranksweep/sweep/report/prose"
)

// TestRecommendIsNeverDominated: no rank below the recommended one has a better mean, in whatever state the ladder is, also where higher
// values are better.
func TestRecommendIsNeverDominated(t *testing.T) {
	t.Parallel()
	apart := 0
	rapid.Check(t, func(rt *rapid.T) {
		rungs := drawLadder(rt)
		p := plateau.DefaultRule()
		p.MinGain = plateau.MinGain{Value: rapid.SampledFrom([]float64{0.01, 0.03, 0.1, 0.3}).Draw(rt, "min_gain")}
		p.Stop = rapid.SampledFrom([]plateau.StopMode{plateau.StopLikely, plateau.StopCertified}).Draw(rt, "stop")
		p.NoiseSD, p.NoiseSource = 0.02, plateau.NoiseFromGrid
		sign := 1.0
		if p.Maximize = rapid.Bool().Draw(rt, "maximize"); p.Maximize {
			sign = -1
			rungs = mapped(rungs, func(y float64) float64 { return -y })
		}
		v := judge(t, p, rungs)
		recommended := meanAt(v, v.RecommendedRank)
		for _, r := range v.Rungs {
			if r.Rank < v.RecommendedRank && sign*r.ValLoss.Mean < sign*recommended-1e-9 {
				rt.Fatalf("%s: rank %d, mean %v, is recommended over rank %d, mean %v", v.State, v.RecommendedRank, recommended, r.Rank, r.ValLoss.Mean)
			}
		}
		if (v.Choice != nil) != (v.IncumbentRank > 0) || v.IncumbentRank == v.RecommendedRank || (prose.Choice(v) != "") != (v.Choice != nil) {
			rt.Fatalf("rank %d, incumbent %d, choice %v", v.RecommendedRank, v.IncumbentRank, v.Choice)
		}
		if v.Choice != nil {
			apart++
		}
	})
	if apart == 0 {
		t.Error("incumbent and recommended rank never differed: the property was not tried")
	}
}

func meanAt(v plateau.Verdict, rank int) float64 {
	for _, r := range v.Rungs {
		if r.Rank == rank {
			return r.ValLoss.Mean
		}
	}
	return 0
}

// TestRecommend: where the climb goes on from and what is recommended are two things.
func TestRecommend(t *testing.T) {
	t.Parallel()
	published := plateau.Rule{
		MinGain: plateau.MinGain{Value: 0.5}, Patience: 2, Confidence: 0.95, Stop: plateau.StopLikely, Maximize: true,
		NoiseSD: 0.5, NoiseSource: plateau.NoiseFromFlag,
	}
	exact := plateau.DefaultRule()
	exact.MinGain = plateau.MinGain{Value: 0.02}
	certified := plateau.DefaultRule()
	certified.Stop, certified.GridSeeds, certified.MaxSeeds = plateau.StopCertified, []int64{0, 1, 2}, 3
	lost := ladder([]int{1, 2, 4}, [][]float64{spread(4.7, 0, .001, -.001), spread(4.698, .01, -.01, 0), spread(4.698, -.01, 0, .01)})
	lost[2].Seeds, lost[2].ValLoss, lost[2].Complete = lost[2].Seeds[1:2], lost[2].ValLoss[1:2], false // the seed of the lowest losses
	for name, tt := range map[string]struct {
		rule            plateau.Rule
		rungs           []plateau.Losses
		rank, incumbent int
		says            string
	}{
		"a published table": {
			published, ladder([]int{1, 2, 4, 8, 64}, [][]float64{{74.1}, {73.7}, {74.0}, {74.0}, {73.9}}), 1, 4,
			"rank 1 has the best mean; whether rank 4, where the climb went on from, is worth it remains open: it gains " +
				"-0.1 [-1.49, 1.29] over rank 1",
		},
		"a plateau of a rank that a smaller one beats": {
			exact, ladder([]int{1, 2, 4, 8, 16}, [][]float64{
				spread(4.8, 0, 0, 0), spread(4.771, .012, -.012, 0), spread(4.7715, .012, -.012, .001), spread(4.772, .012, -.012, 0),
				spread(4.772, .012, -.012, .001),
			}), 2, 4, "rank 2 is smaller than rank 4, which larger ones were compared with, and no worse on average",
		},
		"climbed on to ranks that are not worth it": {
			certified, ladder([]int{1, 2, 4, 8, 16}, [][]float64{
				spread(4.8, .001, -.001, 0), spread(4.7, 0, .001, -.001), spread(4.7, -.018, .019, -.006), spread(4.699, -.001, 0, .001),
				spread(4.6985, 0, 0, .001),
			}), 2, 16,
			"rank 2 is the smallest whose mean is within min_gain of the best; whether rank 4, which has the best, is worth more remains open: " +
				"it gains 0.00167 [-0.0301, 0.0334] over rank 2",
		},
		"a larger rank that may be better": {
			exact, ladder([]int{4, 8}, [][]float64{{5.10, 5.20}, {5.00, 5.06}}), 8, 4,
			"rank 8 has the best mean, but that it is better is not certain", // the reason says by how much
		},
		"a rung that lost a seed": {
			exact, lost, 1, 2,
			"rank 1 is the smallest whose mean is within min_gain of the best; whether rank 2, which has the best, is worth more remains open: " +
				"it gains 0.002 [-0.0242, 0.0282] over rank 1",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := judge(t, tt.rule, tt.rungs)
			if v.RecommendedRank != tt.rank || v.Incumbent() != tt.incumbent || prose.Choice(v) != tt.says {
				t.Errorf("%s: rank %d, incumbent %d: %q", v.State, v.RecommendedRank, v.Incumbent(), prose.Choice(v))
			}
		})
	}
}

// TestLikelyOnAssumedNoise: a plateau on a noise that nobody measured is likely only where it would be at the noisiest ladders' noise, and
// the climb stops all the same. Given the noise, it is likely, and certain where the bounds say so.
func TestLikelyOnAssumedNoise(t *testing.T) {
	t.Parallel()
	flat := ladder([]int{1, 2, 4, 8}, [][]float64{{4.8}, {4.6}, {4.6}, {4.6}})
	worse := ladder([]int{1, 2, 4, 8}, [][]float64{{4.8}, {4.6}, {4.64}, {4.66}})
	given := func(sd float64, source string) plateau.Rule {
		p := plateau.DefaultRule()
		p.NoiseSD, p.NoiseSource = sd, source
		return p
	}
	for name, tt := range map[string]struct {
		rule        plateau.Rule
		rungs       []plateau.Losses
		state       plateau.State
		probability float64
	}{
		"assumed, equal losses": {plateau.DefaultRule(), flat, plateau.StateInconclusive, 0},
		// min_gain 0.024, gains −0.04 and −0.06, √2·0.006·4.8 = 0.04073: 1 − Q(1.571) − Q(2.062) = 1 − 0.0580 − 0.0196
		"assumed, worse":               {plateau.DefaultRule(), worse, plateau.StateLikelyPlateau, 0.9224},
		"assumed, though written down": {given(0.012, plateau.NoiseDefault), flat, plateau.StateInconclusive, 0},
		// √2·0.009 = 0.01273: 1 − 2·Q(1.886) = 1 − 2·0.02966
		"of another sweep": {given(0.009, "sweep before"), flat, plateau.StateLikelyPlateau, 0.9407},
		"given":            {given(0.009, plateau.NoiseFromGrid), flat, plateau.StateLikelyPlateau, 0.9407},
		"given, and large": {given(0.011, plateau.NoiseFromGrid), flat, plateau.StateInconclusive, 0},
		"given, and small": {given(0.003, plateau.NoiseFromGrid), flat, plateau.StatePlateau, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := judge(t, tt.rule, append(tt.rungs, plateau.Losses{Rank: 16, Seeds: []int64{0}, ValLoss: []float64{4}}))
			last := v.Rungs[len(v.Rungs)-1]
			if v.State != tt.state || v.RecommendedRank != 2 || last.Decision != plateau.DecisionBeyond {
				t.Fatalf("%s, rank %d, rank 16 %s (%s)", v.State, v.RecommendedRank, last.Decision, prose.Reason(v))
			}
			if v.Probability != nil && (*v.Probability < tt.probability-1e-3 || *v.Probability > tt.probability+1e-3) {
				t.Errorf("probability %v, want %v", *v.Probability, tt.probability)
			}
		})
	}
}

// TestCertainOnGivenNoise: all ranks are flat, and the plateau is certain only as far as it would be at 1.25 times the noise. Beyond, the
// verdict says what it takes; where ranks are not flat that is plain from their bounds.
func TestCertainOnGivenNoise(t *testing.T) {
	t.Parallel()
	flat := ladder([]int{1, 2, 4, 8}, [][]float64{{4.8}, {4.6}, {4.6}, {4.6}})
	const boundary = 0.024 / (1.25 * 1.959964 * math.Sqrt2) // min_gain over the width of its bound
	for name, tt := range map[string]struct {
		noise    float64
		state    plateau.State
		decision plateau.StepDecision
		limit    float64
	}{
		"just below": {0.9999 * boundary, plateau.StatePlateau, plateau.DecisionFlat, 0},
		"just above": {1.0001 * boundary, plateau.StateLikelyPlateau, plateau.DecisionFlat, 1.25 * 1.0001 * boundary},
		"not flat":   {1.2501 * boundary, plateau.StateLikelyPlateau, plateau.DecisionUnresolved, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := plateau.DefaultRule()
			p.NoiseSD, p.NoiseSource = tt.noise, plateau.NoiseFromGrid
			v := judge(t, p, flat)
			i := slices.IndexFunc(v.Advice, func(f plateau.Finding) bool { return f.Code == plateau.AdviseNoise })
			if v.State != tt.state || v.Rungs[2].Decision != tt.decision || i < 0 || math.Abs(v.Advice[i].Limit-tt.limit) > 1e-12 {
				t.Fatalf("%s, rank 4 %s, advice %+v; want %s, %s, limit %v", v.State, v.Rungs[2].Decision, v.Advice, tt.state, tt.decision, tt.limit)
			}
			clause := ", one number for all ranks, so a plateau is certain only where it would be at "
			if text := prose.Advice(v)[i]; strings.Contains(text, clause) != (tt.limit > 0) {
				t.Errorf("advice %q", text)
			}
		})
	}
}

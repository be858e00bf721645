package report

import (
	"math/rand/v2"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/ranksweep/ranksweep/sweep/plateau"
)

// climbed is what a climb over rungs says of each of them: losses per seed, fewer where a seed is not trained yet.
func climbed(t rapid.TB, p plateau.Rule, losses [][]float64) []plateau.RungVerdict {
	t.Helper()
	if err := p.Validate(); err != nil {
		t.Fatal(err)
	}
	c := plateau.NewClimb(p, plateau.Quantiles{})
	for i, y := range losses {
		l := plateau.Losses{Rank: 1 << i, ValLoss: y, Complete: len(y) == len(losses[0])}
		for s := range y {
			l.Seeds = append(l.Seeds, int64(s))
		}
		c.Add(l)
	}
	if c.Draw == nil {
		c.Finish()
	}
	return c.Verdict().Rungs
}

// stepText are the sentences on a rung's decision.
func stepText(p plateau.Rule, minGain float64, row plateau.RungVerdict) string {
	given := p.NoiseSD > 0 && p.NoiseSource == plateau.NoiseFromGrid
	e := Explanation{
		Rule: Rule{Patience: p.Patience, Confidence: p.Confidence, Stop: p.Stop, given: given}, Verdict: Verdict{MinGain: &minGain},
	}
	s := ExplainedStep{RungVerdict: row, IncumbentCost: &Cost{}}
	if row.Gain == nil {
		return s.effect(e)
	}
	return strings.Join([]string{s.noise(minGain), s.decided(e), s.climbed(p.Stop)}, "\n")
}

// about is a rung of three seeds around a mean.
func about(mean, spread float64) []float64 { return []float64{mean - spread, mean, mean + spread} }

// TestExplainBranches has a climb for each branch of the rule, and what is said of its last rung, or of the rung named.
func TestExplainBranches(t *testing.T) {
	t.Parallel()
	const minGain = 0.02
	rule := func(change func(*plateau.Rule)) plateau.Rule {
		p := plateau.DefaultRule()
		p.MinGain, p.GridSeeds = plateau.MinGain{Value: minGain}, []int64{0, 1, 2}
		if change != nil {
			change(&p)
		}
		return p
	}
	needed := rule(func(p *plateau.Rule) { p.SeedsPerRank = plateau.NeededSeeds })
	given := rule(func(p *plateau.Rule) {
		p.GridSeeds, p.NoiseSD, p.NoiseSource = []int64{0}, 0.004, plateau.NoiseFromGrid
	})
	one := rule(func(p *plateau.Rule) { p.GridSeeds = []int64{0} })
	// Three seeds whose differences scatter: neither plateau nor gain is certain.
	wide := func(mean, spread float64) []float64 { return []float64{mean + spread, mean - spread, mean} }
	for name, test := range map[string]struct {
		rule   plateau.Rule
		losses [][]float64
		rank   int
		effect plateau.Effect
		says   []string
	}{
		"improved": {rule(nil), [][]float64{about(5, 0.01), about(4.9, 0.011)}, 2, plateau.EffectClimbs, []string{
			"improved: the lower bound 0.0975 is above 0, and d = 0.1000 is at least min_gain 0.02; rank 2 is the incumbent from here on",
		}},
		"worse": {rule(nil), [][]float64{about(5, 0.01), about(5.1, 0.011)}, 2, plateau.EffectStrike, []string{
			"worse: the upper bound -0.0975 is below 0; P < 0.001, below 0.20: strike 1 of 2",
		}},
		"flat": {rule(nil), [][]float64{about(5, 0.01), about(4.999, 0.011)}, 2, plateau.EffectStrike, []string{
			"flat: the upper bound 0.0035 is below min_gain 0.02; P < 0.001, below 0.20: strike 1 of 2",
		}},
		"flat, and patience runs out": {
			rule(nil),
			[][]float64{about(5, 0.01), about(4.999, 0.011), about(4.999, 0.0105)},
			4, plateau.EffectStrike,
			[]string{"strike 2 of 2, patience has run out"},
		},
		"unresolved, no strike": {rule(nil), [][]float64{about(5, 0.01), wide(4.985, 0.01)}, 2, plateau.EffectNoStrike, []string{
			"unresolved: the lower bound", "is not above 0, and the upper bound", "not below 0.20: no strike, the count starts again",
		}},
		"unresolved, a strike": {rule(nil), [][]float64{about(5, 0.01), wide(5, 0)}, 2, plateau.EffectStrike, []string{
			"is not below min_gain 0.02; P = 0.0371, below 0.20: strike 1 of 2",
		}},
		"unresolved, certain of some gain": {
			rule(nil),
			[][]float64{about(5, 0.01), about(4.985, 0.0125)},
			2, plateau.EffectStrike,
			[]string{
				"the lower bound 0.0088 is above 0, but d = 0.0150 is less than min_gain 0.02, and the upper bound 0.0212 is not",
				"P = 0.0371, below 0.20",
			},
		},
		"no seed in common": {rule(nil), nil, 2, plateau.EffectNoStrike, []string{"P is not known: no strike, the count starts again"}},
		"beyond the stop": {
			rule(nil),
			[][]float64{about(5, 0.01), about(4.999, 0.011), about(4.999, 0.0105), about(4.9, 0.01)},
			8, plateau.EffectStopped,
			[]string{"beyond: the ladder had stopped before this rank, so it is listed and not counted"},
		},
		"beyond a climb that waits": {
			needed,
			[][]float64{{5, 5.01}, {4.99, 4.985}, {4.9}},
			4, plateau.EffectNotReached,
			[]string{"beyond: the climb waited for further seeds of lower ranks"},
		},
		"waits for a seed": {needed, [][]float64{{5, 5.01}, {4.99, 4.985}}, 2, plateau.EffectWaits, []string{
			"not below 0.20, but below 0.5: a further seed is to tell",
		}},
		"goes on with few seeds": {needed, [][]float64{{5, 5.01}, {4.96, 4.99}}, 2, plateau.EffectGoesOn, []string{
			"not below 0.5: the climb goes on from here without further seeds",
			"with 2 seeds it was likely enough to climb on",
		}},
		"one seed on an assumed noise": {one, [][]float64{{5}, {4.999}}, 2, plateau.EffectStrike, []string{
			"one seed: s̃ = 0.0177, √2 times noise_sd, with normal quantiles", "P = 0.141, below 0.20: strike 1 of 2",
		}},
		"one seed on a given noise that a certain plateau does not rest on": {
			given,
			[][]float64{{5}, {4.993}},
			2, plateau.EffectStrike,
			[]string{"flat: the upper bound 0.0181 is below min_gain 0.02, but 0.0209 at 1.25 times the given noise_sd"},
		},
		"one seed on a given noise": {given, [][]float64{{5}, {4.999}}, 2, plateau.EffectStrike, []string{
			"flat: the upper bound 0.0121 is below min_gain 0.02; P < 0.001, below 0.20",
		}},
		"differences that agree to the last digit": {rule(nil), [][]float64{about(5, 0.01), about(4.9, 0.01)}, 2, plateau.EffectClimbs, []string{
			"s̃ = 2e-05, the floor of min_gain/1000: the 3 differences agree to more digits than that",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var rows []plateau.RungVerdict
			if test.losses != nil {
				rows = climbed(t, test.rule, test.losses)
			} else { // two rungs without a common seed
				c := plateau.NewClimb(test.rule, plateau.Quantiles{})
				c.Add(plateau.Losses{Rank: 1, Seeds: []int64{0, 1}, ValLoss: []float64{5, 5.01}})
				c.Add(plateau.Losses{Rank: 2, Seeds: []int64{2}, ValLoss: []float64{4.9}})
				rows = c.Verdict().Rungs
			}
			for _, row := range rows {
				if row.Rank != test.rank {
					continue
				}
				text := stepText(test.rule, minGain, row)
				if row.Effect != test.effect {
					t.Errorf("effect %s, want %s: %s", row.Effect, test.effect, text)
				}
				for _, says := range test.says {
					if !strings.Contains(text, says) {
						t.Errorf("%q lacks %q", text, says)
					}
				}
				checkClaims(t, text)
			}
		})
	}
}

// TestExplainStrikeAfterPatience: a strike of a rank after patience had run out below it is called one, whatever the count before.
func TestExplainStrikeAfterPatience(t *testing.T) {
	t.Parallel()
	p := plateau.DefaultRule()
	p.MinGain, p.GridSeeds, p.Patience = plateau.MinGain{Value: 0.02}, []int64{0, 1, 2}, 2
	rows := climbed(t, p, [][]float64{
		{5, 5, 5}, {4.98, 5.005, 5}, {4.975, 5.01, 4.995}, {4.99, 4.998, 5.003}, {4.985, 4.995, 5.01},
	})
	before, after := rows[2], rows[3]
	if before.Count != p.Patience || after.Effect != plateau.EffectStrike || after.Count > before.Count {
		t.Fatalf("rank %d is %s with %d strikes after %d", after.Rank, after.Effect, after.Count, before.Count)
	}
	text := stepText(p, 0.02, after)
	checkClaims(t, text)
	if want := "below 0.20: strike 2 of 2, patience has run out"; !strings.Contains(text, want) || strings.Contains(text, "not below 0.20") {
		t.Errorf("%q lacks %q", text, want)
	}
}

// TestExplainedClaimsHold: of any climb, each number that a sentence states stands on the side of the limit where the sentence puts it.
func TestExplainedClaimsHold(t *testing.T) {
	t.Parallel()
	missed := []plateau.Effect{
		plateau.EffectClimbs, plateau.EffectGoesOn, plateau.EffectStrike, plateau.EffectNoStrike, plateau.EffectWaits, plateau.EffectStopped,
		plateau.EffectNotReached,
	}
	met := map[plateau.Effect]bool{}
	for range 20 { // a hundred climbs miss the rarest effect once in about fifteen times
		checkClimbs(t, met)
		if missed = slices.DeleteFunc(missed, func(e plateau.Effect) bool { return met[e] }); len(missed) == 0 {
			return
		}
	}
	t.Errorf("no climb has any of %q", missed)
}

// checkClimbs checks what is said of a hundred random climbs, and adds the effects that their ranks have.
func checkClimbs(t *testing.T, met map[plateau.Effect]bool) {
	t.Helper()
	rapid.Check(t, func(t *rapid.T) {
		p := plateau.DefaultRule()
		minGain := rapid.SampledFrom([]float64{0.02, 0.0249, 0.005, 1}).Draw(t, "min_gain")
		p.MinGain, p.Patience = plateau.MinGain{Value: minGain}, rapid.IntRange(1, 3).Draw(t, "patience")
		p.Stop = rapid.SampledFrom([]plateau.StopMode{plateau.StopLikely, plateau.StopCertified}).Draw(t, "stop")
		seeds := rapid.IntRange(1, 4).Draw(t, "seeds")
		for s := range seeds {
			p.GridSeeds = append(p.GridSeeds, int64(s))
		}
		if rapid.Bool().Draw(t, "needed") {
			p.SeedsPerRank = plateau.NeededSeeds
		}
		if rapid.Bool().Draw(t, "given") {
			p.NoiseSD, p.NoiseSource = minGain/rapid.Float64Range(1, 8).Draw(t, "noise"), plateau.NoiseFromGrid
		}
		random := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "random"), 1))
		var losses [][]float64
		for r := range rapid.IntRange(2, 7).Draw(t, "rungs") {
			n := seeds
			if p.Sparing() && r > 0 {
				n = rapid.IntRange(1, seeds).Draw(t, "trained")
			}
			y := make([]float64, n)
			for s := range y {
				y[s] = 5 + minGain*(random.NormFloat64()*rapid.SampledFrom([]float64{0.1, 0.5, 1}).Draw(t, "sd")-
					rapid.Float64Range(-0.5, 1.5).Draw(t, "gain")*float64(r))
			}
			losses = append(losses, y)
		}
		for _, row := range climbed(t, p, losses) {
			met[row.Effect] = true
			checkClaims(t, stepText(p, minGain, row))
		}
	})
}

// numeral matches one as the sentences write them.
const numeral = `(-?[0-9.]+(?:e-?[0-9]+)?)`

// checkClaims reads each comparison that a text states and checks it.
func checkClaims(t interface {
	Helper()
	Errorf(string, ...any)
}, text string,
) {
	t.Helper()
	less := func(a, b float64) bool { return a < b }
	atLeast := func(a, b float64) bool { return a >= b }
	for _, claim := range []struct {
		says  string
		holds func(a, b float64) bool
	}{
		{numeral + ` is above ` + numeral, func(a, b float64) bool { return a > b }},
		{numeral + ` is not above ` + numeral, func(a, b float64) bool { return a <= b }},
		{numeral + ` is at least min_gain ` + numeral, atLeast},
		{numeral + ` is less than min_gain ` + numeral, less},
		{`min_gain ` + numeral + `, and the upper bound ` + numeral + ` is not\b`, func(a, b float64) bool { return b >= a }},
		{numeral + ` is below (?:min_gain )?` + numeral, less},
		{numeral + ` is not below (?:min_gain )?` + numeral, atLeast},
		{`is below min_gain ` + numeral + `, but ` + numeral, func(a, b float64) bool { return b >= a }},
		{`P = ` + numeral + `, below ` + numeral, less},
		{`P < ` + numeral + `, below ` + numeral, less},
		{`P = ` + numeral + `, not below ` + numeral, atLeast},
		{`P > ` + numeral + `, not below ` + numeral, atLeast},
		{`P = ` + numeral + `, not below [0-9.]+, but below ` + numeral, less},
		{`strike ` + numeral + ` of ` + numeral, func(a, b float64) bool { return a >= 1 && a <= b }},
		{`strike ` + numeral + ` of ` + numeral + `, patience has run out`, func(a, b float64) bool { return a == b }},
	} {
		for _, m := range regexp.MustCompile(claim.says).FindAllStringSubmatch(text, -1) {
			a, errA := strconv.ParseFloat(m[1], 64)
			b, errB := strconv.ParseFloat(m[2], 64)
			if errA != nil || errB != nil || !claim.holds(a, b) {
				t.Errorf("%q does not hold, in: %s", m[0], text)
			}
		}
	}
}

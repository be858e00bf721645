package plateau_test

import (
	"encoding/json"
	"math"
	"os"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/ranksweep/ranksweep/sweep/plateau"
	"github.com/ranksweep/ranksweep/sweep/report/prose"
)

// reference is testdata/judge_reference.json, made by judge_reference.py beside it.
type reference struct {
	Cases []referenceCase `json:"cases"`
}

type referenceCase struct {
	Name       string      `json:"name"`
	Ranks      []int       `json:"ranks"`
	Y          [][]float64 `json:"y"`
	MinGain    float64     `json:"min_gain"`
	Relative   bool        `json:"relative"`
	Patience   int         `json:"patience"`
	Confidence float64     `json:"confidence"`
	NoiseSD    float64     `json:"noise_sd"`
	Want       struct {
		Recommended int            `json:"recommended"`
		Incumbent   int            `json:"incumbent"`
		MinGain     float64        `json:"min_gain"`
		Rows        []referenceRow `json:"rows"`
		Stopped     bool           `json:"stopped"`
	} `json:"want"`
}

type referenceRow struct {
	Rank      int                  `json:"rank"`
	Incumbent int                  `json:"incumbent"`
	Gain      float64              `json:"gain"`
	Lo        float64              `json:"lo"`
	Hi        float64              `json:"hi"`
	SD        float64              `json:"sd"`
	D0        float64              `json:"d0"`
	Nu        float64              `json:"nu"` // 0 means normal quantiles
	P         float64              `json:"p"`
	Decision  plateau.StepDecision `json:"decision"`
	Count     int                  `json:"count"`
}

// ladder makes complete rungs from a table of losses, one row per rank and one column per seed.
func ladder(ranks []int, y [][]float64) []plateau.Losses {
	rungs := make([]plateau.Losses, len(ranks))
	for i, r := range ranks {
		rungs[i] = plateau.Losses{Rank: r, ValLoss: y[i], Complete: true}
		for s := range y[i] {
			rungs[i].Seeds = append(rungs[i].Seeds, int64(s))
		}
	}
	return rungs
}

// spread makes losses around a mean: offsets seed by seed, noise in the given order.
func spread(mean float64, noise ...float64) []float64 {
	offsets := []float64{0.04, -0.03, 0.01, 0.02, -0.04}
	out := make([]float64, len(noise))
	for i, e := range noise {
		out[i] = mean + offsets[i%len(offsets)] + e
	}
	return out
}

func judge(t *testing.T, p plateau.Rule, rungs []plateau.Losses) plateau.Verdict {
	t.Helper()
	v, err := p.Judge(rungs)
	if err != nil {
		t.Fatalf("Judge(%v): %v", rungs, err)
	}
	return v
}

// TestJudgeEqualsReference compares every number of every row with the independent Python implementation. 1e-8 relative is
// what gonum's and scipy's quantiles and special functions agree to, with some room.
func TestJudgeEqualsReference(t *testing.T) {
	t.Parallel()
	body, err := os.ReadFile("testdata/judge_reference.json")
	if err != nil {
		t.Fatal(err)
	}
	var ref reference
	if err := json.Unmarshal(body, &ref); err != nil {
		t.Fatal(err)
	}
	for _, c := range ref.Cases {
		t.Run(c.Name, func(t *testing.T) {
			t.Parallel()
			p := plateau.Rule{
				MinGain: plateau.MinGain{Value: c.MinGain, Relative: c.Relative}, Patience: c.Patience,
				Confidence: c.Confidence, Stop: plateau.StopLikely, NoiseSD: c.NoiseSD, NoiseSource: plateau.NoiseFromGrid,
			}
			v := judge(t, p, ladder(c.Ranks, c.Y))
			if v.RecommendedRank != c.Want.Recommended {
				t.Errorf("recommended rank %d, want %d", v.RecommendedRank, c.Want.Recommended)
			}
			if v.Incumbent() != c.Want.Incumbent {
				t.Errorf("incumbent %d, want %d", v.Incumbent(), c.Want.Incumbent)
			}
			if diff := cmp.Diff(c.Want.Rows, rowsOf(v), cmpopts.EquateApprox(1e-8, 1e-12)); diff != "" {
				t.Errorf("rows (-reference +Judge):\n%s", diff)
			}
		})
	}
}

// rowsOf writes a verdict's rows, but for the baseline and what lies beyond the stop, as the reference does.
func rowsOf(v plateau.Verdict) []referenceRow {
	var rows []referenceRow
	for _, r := range v.Rungs[1:] {
		if r.Decision == plateau.DecisionBeyond {
			break
		}
		row := referenceRow{
			Rank: r.Rank, Incumbent: r.Incumbent, Gain: r.Gain.Mean, Lo: *r.Gain.Lo, Hi: *r.Gain.Hi,
			SD: r.SD, D0: *r.PriorDF, P: *r.Probability, Decision: r.Decision, Count: r.Count,
		}
		if r.DF != nil {
			row.Nu = *r.DF
		}
		rows = append(rows, row)
	}
	return rows
}

// TestJudgeByHand checks two rungs and two seeds, where the arithmetic fits in a comment: gains 0.10 and 0.14, mean 0.12,
// s = 0.0282843, s/√2 = 0.02, t(0.975, 1) = 12.7062, so [−0.134124, 0.374124].
func TestJudgeByHand(t *testing.T) {
	t.Parallel()
	p := plateau.Rule{MinGain: plateau.MinGain{Value: 0.02}, Patience: 1, Confidence: 0.95, Stop: plateau.StopLikely}
	v := judge(t, p, ladder([]int{4, 8}, [][]float64{{5.10, 5.20}, {5.00, 5.06}}))
	got := v.Rungs[1]
	want := plateau.Interval{Mean: 0.12, Lo: new(-0.134124), Hi: new(0.374124)}
	if diff := cmp.Diff(&want, got.Gain, cmpopts.EquateApprox(0, 1e-6)); diff != "" {
		t.Errorf("gain (-want +got):\n%s", diff)
	}
	if got.Decision != plateau.DecisionUnresolved || v.State != plateau.StateInconclusive || v.RecommendedRank != 8 {
		t.Errorf("got %s, %s, rank %d", got.Decision, v.State, v.RecommendedRank)
	}
}

func TestJudgeStates(t *testing.T) {
	t.Parallel()
	ranks := []int{1, 2, 4, 8}
	still := [][]float64{spread(4.8, .001, -.001, 0), spread(4.7, 0, .001, -.001), spread(4.6, -.001, 0, .001), spread(4.5, 0, 0, .001)}
	flat := [][]float64{spread(4.8, .001, -.001, 0), spread(4.7, 0, .001, -.001), spread(4.6999, -.001, 0, .001), spread(4.699, 0, 0, .001)}
	worse := [][]float64{spread(4.8, .001, -.001, 0), spread(4.7, 0, .001, -.001), spread(4.8, -.001, 0, .001), spread(4.9, 0, 0, .001)}
	noisy := [][]float64{spread(4.8, .01, -.01, 0), spread(4.7, 0, .01, -.01), spread(4.703, -.01, 0, .01), spread(4.705, 0, .01, 0)}
	unsure := [][]float64{worse[0], worse[1], spread(4.68, .02, -.02, 0), worse[2], worse[3]}
	one := func(y ...float64) [][]float64 {
		out := make([][]float64, len(y))
		for i := range y {
			out[i] = []float64{y[i]}
		}
		return out
	}
	given := plateau.DefaultRule()
	given.NoiseSD, given.NoiseSource = 0.003, plateau.NoiseFromGrid
	tests := map[string]struct {
		rule  plateau.Rule
		rungs []plateau.Losses
		state plateau.State
		rank  int
		flags []string
	}{
		"plateau":                     {plateau.DefaultRule(), ladder(ranks, flat), plateau.StatePlateau, 2, nil},
		"worse is a plateau":          {plateau.DefaultRule(), ladder(ranks, worse), plateau.StatePlateau, 2, nil},
		"overfit":                     {plateau.DefaultRule(), trained(ladder(ranks, worse), 4.5, 4.4, 4.3, 4.2), plateau.StateOverfit, 2, nil},
		"worse, but trains worse too": {plateau.DefaultRule(), trained(ladder(ranks, worse), 4.5, 4.4, 4.3, 4.4), plateau.StatePlateau, 2, nil},
		"overfit, but on assumed noise": {
			plateau.DefaultRule(), trained(ladder(ranks, one(4.8, 4.7, 4.8, 4.9)), 4.5, 4.4, 4.3, 4.2),
			plateau.StateLikelyPlateau, 2,
			[]string{plateau.FlagOneSeed, plateau.FlagOverfitting},
		},
		"overfit, above a rank that may gain": {
			plateau.DefaultRule(), trained(ladder(append(ranks, 16), unsure), 4.5, 4.4, 4.3, 4.2, 4.1), plateau.StateOverfit, 4, nil,
		},
		"likely plateau":        {plateau.DefaultRule(), ladder(ranks, noisy), plateau.StateLikelyPlateau, 2, nil},
		"still improving":       {plateau.DefaultRule(), ladder(ranks, still), plateau.StateStillImproving, 8, nil},
		"one rank":              {plateau.DefaultRule(), ladder(ranks[:1], flat[:1]), plateau.StateInconclusive, 1, nil},
		"grid ends on a strike": {plateau.DefaultRule(), ladder(ranks[:3], flat[:3]), plateau.StateLikelyPlateau, 2, nil},
		"one seed, noise assumed": {
			plateau.DefaultRule(), ladder(ranks, one(4.8, 4.6, 4.6, 4.6)), plateau.StateInconclusive,
			2,
			[]string{plateau.FlagOneSeed},
		},
		"one seed, noise given": {given, ladder(ranks, one(4.8, 4.6, 4.6, 4.6)), plateau.StatePlateau, 2, []string{plateau.FlagOneSeed}},
		"best step long before last": {
			plateau.DefaultRule(), ended(ladder(ranks, flat), 0.03), plateau.StatePlateau,
			2,
			[]string{plateau.FlagOverfitting},
		},
		"ranks past the stop are idle": {
			plateau.DefaultRule(), ladder(append(ranks, 16), append(flat, spread(4.2, 0, .001, 0))),
			plateau.StatePlateau, 2,
			[]string{plateau.FlagBeyond},
		},
		"no common seed": {plateau.DefaultRule(), disjoint(), plateau.StateInconclusive, 1, nil},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := judge(t, tt.rule, tt.rungs)
			if v.State != tt.state || v.RecommendedRank != tt.rank {
				t.Errorf("Judge = %s, rank %d, want %s, rank %d (%s)", v.State, v.RecommendedRank, tt.state, tt.rank, prose.Reason(v))
			}
			if diff := cmp.Diff(tt.flags, v.Flags, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("flags (-want +got):\n%s", diff)
			}
			if prose.Reason(v) == "" || len(prose.Advice(v)) == 0 {
				t.Errorf("reason %q and advice %q: want both", prose.Reason(v), prose.Advice(v))
			}
			if (v.Probability != nil) != (v.State == plateau.StateLikelyPlateau) {
				t.Errorf("probability %v in state %s", v.Probability, v.State)
			}
		})
	}
}

func trained(rungs []plateau.Losses, train ...float64) []plateau.Losses {
	for i := range rungs {
		for range rungs[i].Seeds {
			rungs[i].Train = append(rungs[i].Train, train[i])
		}
	}
	return rungs
}

func ended(rungs []plateau.Losses, rise float64) []plateau.Losses {
	for i := range rungs {
		for _, y := range rungs[i].ValLoss {
			rungs[i].Last = append(rungs[i].Last, y+rise)
		}
	}
	return rungs
}

func disjoint() []plateau.Losses {
	return []plateau.Losses{
		{Rank: 1, Seeds: []int64{0, 1}, ValLoss: []float64{4.8, 4.9}},
		{Rank: 2, Seeds: []int64{2, 3}, ValLoss: []float64{4.4, 4.5}},
	}
}

func TestJudgeRejects(t *testing.T) {
	t.Parallel()
	good := ladder([]int{1, 2}, [][]float64{{4.8, 4.9}, {4.7, 4.8}})
	bad := map[string]struct {
		rule  plateau.Rule
		rungs []plateau.Losses
	}{
		"no rung":         {plateau.DefaultRule(), nil},
		"descending":      {plateau.DefaultRule(), []plateau.Losses{good[1], good[0]}},
		"repeated rank":   {plateau.DefaultRule(), []plateau.Losses{good[0], good[0]}},
		"repeated seed":   {plateau.DefaultRule(), []plateau.Losses{{Rank: 1, Seeds: []int64{0, 0}, ValLoss: []float64{1, 1}}}},
		"NaN":             {plateau.DefaultRule(), []plateau.Losses{{Rank: 1, Seeds: []int64{0}, ValLoss: []float64{math.NaN()}}}},
		"not parallel":    {plateau.DefaultRule(), []plateau.Losses{{Rank: 1, Seeds: []int64{0}, ValLoss: []float64{1, 2}}}},
		"no patience":     {plateau.Rule{MinGain: plateau.MinGain{Value: 1}, Confidence: 0.9}, good},
		"share of zero":   {plateau.DefaultRule(), ladder([]int{1, 2}, [][]float64{{-1, 1}, {0, 1}})},
		"zero rule":       {plateau.Rule{}, good},
		"confidence of 1": {plateau.Rule{MinGain: plateau.MinGain{Value: 1}, Patience: 1, Confidence: 1}, good},
	}
	for name, tt := range bad {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if v, err := tt.rule.Judge(tt.rungs); err == nil {
				t.Errorf("Judge = %v, want an error", v)
			}
		})
	}
}

// drawLadder draws a ladder of complete rungs with losses on a grid of 1e-4, so that ties and zero variances appear.
func drawLadder(t *rapid.T) []plateau.Losses {
	n := rapid.IntRange(1, 5).Draw(t, "seeds")
	rungs := rapid.IntRange(1, 8).Draw(t, "rungs")
	ranks, y := make([]int, rungs), make([][]float64, rungs)
	for i := range rungs {
		ranks[i] = 1 << i
		for range n {
			y[i] = append(y[i], 4+float64(rapid.IntRange(0, 3000).Draw(t, "loss"))*1e-4)
		}
	}
	return ladder(ranks, y)
}

func TestJudgeIgnoresSeedOrder(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		rungs := drawLadder(rt)
		want := judge(t, plateau.DefaultRule(), rungs)
		for i, r := range rungs {
			order := rapid.Permutation(indices(len(r.Seeds))).Draw(rt, "order")
			shuffled := plateau.Losses{Rank: r.Rank, Complete: r.Complete}
			for _, o := range order {
				shuffled.Seeds = append(shuffled.Seeds, r.Seeds[o])
				shuffled.ValLoss = append(shuffled.ValLoss, r.ValLoss[o])
			}
			rungs[i] = shuffled
		}
		if diff := cmp.Diff(want, judge(t, plateau.DefaultRule(), rungs)); diff != "" {
			rt.Fatalf("shuffled seeds (-want +got):\n%s", diff)
		}
	})
}

func indices(n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = i
	}
	return out
}

// TestJudgeScalesAndMirrors: multiplying losses and min_gain by a power of two scales every number exactly; negating losses
// and the direction changes nothing but their sign.
func TestJudgeScalesAndMirrors(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		rungs := drawLadder(rt)
		p := plateau.DefaultRule()
		p.MinGain, p.NoiseSD = plateau.MinGain{Value: 0.02}, 0.01
		want := judge(t, p, rungs)
		scaled := p
		factor := math.Pow(2, float64(rapid.IntRange(-3, 3).Draw(rt, "log2 factor")))
		scaled.MinGain.Value *= factor
		scaled.NoiseSD *= factor
		sameDecisions(rt, want, judge(t, scaled, mapped(rungs, func(y float64) float64 { return factor * y })))
		mirrored := p
		mirrored.Maximize = true
		sameDecisions(rt, want, judge(t, mirrored, mapped(rungs, func(y float64) float64 { return -y })))
	})
}

// TestJudgeShifts: adding a constant to every loss changes nothing while min_gain is absolute. Shifts are integers so that
// differences stay within rounding of 1e-12, and knife-edge draws where that flips a decision are discarded by design: the
// losses lie on a grid of 1e-4.
func TestJudgeShifts(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		rungs := drawLadder(rt)
		p := plateau.DefaultRule()
		p.MinGain, p.NoiseSD = plateau.MinGain{Value: 0.02001}, 0.01
		shift := float64(rapid.IntRange(-3, 50).Draw(rt, "shift"))
		sameDecisions(rt, judge(t, p, rungs), judge(t, p, mapped(rungs, func(y float64) float64 { return y + shift })))
	})
}

func mapped(rungs []plateau.Losses, f func(float64) float64) []plateau.Losses {
	out := make([]plateau.Losses, len(rungs))
	for i, r := range rungs {
		out[i] = plateau.Losses{Rank: r.Rank, Seeds: r.Seeds, Complete: r.Complete}
		for _, y := range r.ValLoss {
			out[i].ValLoss = append(out[i].ValLoss, f(y))
		}
	}
	return out
}

func sameDecisions(t *rapid.T, want, got plateau.Verdict) {
	t.Helper()
	type decision struct {
		State plateau.State
		Ranks []int
		Steps []plateau.StepDecision
	}
	of := func(v plateau.Verdict) decision {
		d := decision{State: v.State, Ranks: append([]int{v.RecommendedRank, v.BestRank}, v.EquivalentRanks...)}
		for _, r := range v.Rungs {
			d.Steps = append(d.Steps, r.Decision)
		}
		return d
	}
	if diff := cmp.Diff(of(want), of(got)); diff != "" {
		t.Fatalf("decisions (-want +got):\n%s", diff)
	}
}

// TestJudgeIsCausal: what the rule said of a rung when it came never changes when later rungs arrive; a later comparison
// with another incumbent is kept beside it.
func TestJudgeIsCausal(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		rungs := drawLadder(rt)
		whole := judge(t, plateau.DefaultRule(), rungs)
		for n := range rungs {
			part := judge(t, plateau.DefaultRule(), rungs[:n+1])
			if diff := cmp.Diff(firstLooks(whole)[:n+1], firstLooks(part)); diff != "" {
				rt.Fatalf("rows of the first %d rungs (-whole +part):\n%s", n+1, diff)
			}
		}
	})
}

// firstLooks are a verdict's rows as they were when each rung came.
func firstLooks(v plateau.Verdict) []plateau.RungVerdict {
	rows := slices.Clone(v.Rungs)
	for i := range rows {
		if r := &rows[i]; len(r.Earlier) > 0 {
			r.Comparison, r.Earlier = r.Earlier[0], nil
		}
		rows[i].Promoted = false
	}
	return rows
}

// TestJudgeNeverLooksBeyond: once the rule has stopped, no later rung moves the state or the recommendation, and each is
// listed as beyond.
func TestJudgeNeverLooksBeyond(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		p, rungs := drawCertified(rt)
		p.Confirm = false
		p.Stop = rapid.SampledFrom([]plateau.StopMode{plateau.StopLikely, plateau.StopCertified}).Draw(rt, "stop")
		want := judge(t, p, rungs)
		beyond := slices.IndexFunc(want.Rungs, func(r plateau.RungVerdict) bool { return r.Decision == plateau.DecisionBeyond })
		if beyond < 0 {
			return
		}
		for _, r := range want.Rungs[beyond:] {
			if r.Decision != plateau.DecisionBeyond {
				rt.Fatalf("rank %d is judged %s beyond the stop", r.Rank, r.Decision)
			}
		}
		got := judge(t, p, rungs[:beyond])
		if got.State != want.State || got.RecommendedRank != want.RecommendedRank || cmp.Diff(want.Draw, got.Draw) != "" {
			rt.Fatalf("without the rungs beyond: %s, rank %d, draw %v; with them %s, rank %d, draw %v",
				got.State, got.RecommendedRank, got.Draw, want.State, want.RecommendedRank, want.Draw)
		}
	})
}

package main

import (
	"bytes"
	"io"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"gonum.org/v1/gonum/stat"

	"github.com/ranksweep/ranksweep/sweep/plateau"
)

// of makes a ladder of three seeds whose offsets cancel in pairs: seed noise around each mean, tiny where quiet.
func of(share, noise float64, means ...float64) ladder {
	l := ladder{seeds: 3, share: share, quantiles: plateau.Quantiles{}}
	wobble := [][]float64{{1, -1, 0}, {-1, 0, 1}, {0, 1, -1}}
	for r := range rungs {
		for s := range 3 {
			l.y[r] = append(l.y[r], means[r]+.03*float64(s-1)+noise*wobble[r%3][s])
		}
		for s := range 3 {
			l.y[r] = append(l.y[r], means[r]+.03*float64(s+2)+noise/8*wobble[r%3][s])
		}
	}
	return l
}

// at is a call whose claim is about the rung that it recommends.
func at(c claim, rung, used int, steps float64) call {
	return call{claim: c, rung: rung, claimed: rung, used: used, steps: steps}
}

func protocolNamed(t *testing.T, name string) protocol {
	t.Helper()
	for _, p := range ours() {
		if p.name == name {
			return p
		}
	}
	t.Fatalf("no protocol is named %q", name)
	return protocol{}
}

// Three hand-made ladders at min_gain .02: a plateau from rank 4 on, a steady climb, and one that stalls for two ranks.
func TestRivals(t *testing.T) {
	t.Parallel()
	plateau := of(.01, .0001, 2, 1.9, 1.8, 1.799, 1.7985, 1.798, 1.7979, 1.7978, 1.7977)
	climbs := of(.01, .0001, 2, 1.95, 1.9, 1.85, 1.8, 1.75, 1.7, 1.65, 1.6)
	stalls := of(.01, .0001, 2, 1.9, 1.899, 1.898, 1.7, 1.6, 1.5, 1.4, 1.3)
	rises := of(.01, .0001, 2, 1.9, 1.8, 1.81, 1.82, 1.83, 1.84, 1.85, 1.86)
	for _, tt := range []struct {
		name  string
		judge func(ladder) call
		l     ladder
		want  call
	}{
		{"Keras stops on a plateau", keras, plateau, at(claimPlateau, 2, 5, 15)},
		{"Keras climbs", keras, climbs, at(claimNone, 8, 9, 27)},
		{"Keras is fooled by a stall", keras, stalls, at(claimPlateau, 1, 4, 12)},
		{"Ray", rayStd, plateau, at(claimPlateau, 2, 5, 15)},
		{"Ray climbs", rayStd, climbs, at(claimNone, 8, 9, 27)},
		{"Optuna Patient does not see a slow fall", optunaPatient, plateau, at(claimNone, 8, 9, 27)},
		{"Optuna Patient sees a rise", optunaPatient, rises, at(claimPlateau, 2, 6, 18)},
		{"Optuna Wilcoxon has no power with three seeds", optunaWilcoxon, rises, at(claimNone, 2, 9, 27)},
		{"the unpaired t-test is blind to what seeds share", unpairedT, stalls, at(claimPlateau, 1, 4, 12)},
		{"one standard error", oneStandardError, plateau, at(claimPlateau, 2, 9, 27)},
		{"one standard error, climbing", oneStandardError, climbs, at(claimNone, 8, 9, 27)},
		{"Kneedle", kneedle, plateau, at(claimPlateau, 2, 9, 27)},
		{"Kneedle on a straight line", kneedle, climbs, at(claimNone, 8, 9, 27)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := tt.judge(tt.l); !cmp.Equal(got, tt.want, cmp.AllowUnexported(call{})) {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
		})
	}
}

func TestOurs(t *testing.T) {
	t.Parallel()
	quiet := of(.01, .0001, 2, 1.9, 1.8, 1.799, 1.7985, 1.798, 1.7979, 1.7978, 1.7977)
	noisy := of(.01, .007, 2, 1.9, 1.8, 1.8, 1.8, 1.8, 1.8, 1.8, 1.8)
	for _, tt := range []struct {
		name string
		rule string
		l    ladder
		want call
	}{
		{"likely", "stop: likely", quiet, at(claimPlateau, 2, 5, 15)},
		{"likely, in doubt", "stop: likely", noisy, at(claimLikely, 2, 5, 15)},
		{"confirm draws for the incumbent and the two in doubt", "likely + confirm", noisy, at(claimPlateau, 2, 5, 24)},
		{"certified draws too", "stop: certified", noisy, at(claimPlateau, 2, 5, 24)},
		{"a scout leaves the lowest rank and those above the stop out", "scout, all seeds", quiet, at(claimPlateau, 2, 4, 13.8)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := protocolNamed(t, tt.rule).judge(tt.l)
			got.others, got.knee = nil, nil
			if !cmp.Equal(got, tt.want, cmp.AllowUnexported(call{})) {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
		})
	}
}

// The p-values are scipy 1.17.1's (wilcoxon, exact).
func TestSignedRank(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		x    []float64
		want float64
	}{
		{[]float64{1, 2, 3}, 1. / 8},
		{[]float64{3, 1, 5, 2, 4}, 1. / 32},
		{[]float64{-1, 2, 3, 4, 5}, 2. / 32},
		{[]float64{-1, -2, -3}, 1},
	} {
		if got := signedRank(tt.x); got != tt.want {
			t.Errorf("signedRank(%v) = %v, want %v", tt.x, got, tt.want)
		}
	}
}

// Welch's example with equal variances of 1 and n = 3: t = 1/√(2/3) = 1.224745, ν = 4, p = 0.143932 (scipy 1.17.1: ttest_ind).
func TestWelch(t *testing.T) {
	t.Parallel()
	if got := welch([]float64{2, 3, 4}, []float64{1, 2, 3}); math.Abs(got-.143932) > 1e-6 {
		t.Errorf("p = %v, want 0.143932", got)
	}
	if got := welch([]float64{2}, []float64{1}); got != 1 {
		t.Errorf("p of one value each = %v, want 1", got)
	}
}

// TestTruth: saturating, 1.8 + .06·r^−.9, gains .06(1 − 4^−.9) = .04277 from rank 1 to 4 and .06(4^−.9 − 16^−.9) = .01228
// from 4 to 16; 1 % of 1.86 is .0186.
func TestTruth(t *testing.T) {
	t.Parallel()
	tr := newTruth(curves()[0], noises()[0], .01, patience)
	if math.Abs(tr.ahead[0]-.04277) > 1e-5 || math.Abs(tr.ahead[2]-.01228) > 1e-5 || math.Abs(tr.minGain-.0186) > 1e-12 {
		t.Errorf("truth %+v", tr)
	}
	if wrong, clearly := tr.isFalse(1); !wrong || !clearly || !tr.plateaus(patience) {
		t.Errorf("rank 2 gains %v: want a false plateau, clearly", tr.ahead[1])
	}
	if wrong, _ := tr.isFalse(2); wrong {
		t.Error("rank 4 is no false plateau")
	}
	if tr := newTruth(curves()[2], noises()[0], .005, patience); tr.plateaus(patience) {
		t.Error("no plateau has a plateau")
	}
}

// TestNoiseIsAsDescribed: standard deviations over 20,000 draws, within 8 %: a normal's are within 2 %, but t(3), whose fourth
// moment is infinite, strays further.
func TestNoiseIsAsDescribed(t *testing.T) {
	t.Parallel()
	want := map[string][2]float64{ // of one value at the last rung, of its gain over the rung before
		"even": {math.Hypot(.010, .004), .004 * math.Sqrt2}, "falling": {.0601, .003},
		"heavy": {math.Hypot(.010, .004), .004 * math.Sqrt2}, "unpaired": {math.Hypot(.010, .004), math.Hypot(.010, .004) * math.Sqrt2},
	}
	for _, n := range noises() {
		y := n.draw(rand.New(rand.NewPCG(1, 2)), 20000)
		gain := make([]float64, len(y[0]))
		for s := range gain {
			gain[s] = y[rungs-2][s] - y[rungs-1][s]
		}
		value, paired := stat.StdDev(y[rungs-1], nil), stat.StdDev(gain, nil)
		if math.Abs(value/want[n.name][0]-1) > .08 || math.Abs(paired/want[n.name][1]-1) > .08 {
			t.Errorf("%s: sd %v of a value, %v of a gain, want %v", n.name, value, paired, want[n.name])
		}
		l := make([]plateau.Losses, rungs)
		for r := range l {
			l[r] = plateau.Losses{Rank: ranks[r], ValLoss: y[r][:2000], Seeds: make([]int64, 2000)}
			for s := range l[r].Seeds {
				l[r].Seeds[s] = int64(s)
			}
		}
		if residual, _ := plateau.ResidualSD(l); math.Abs(residual/n.sd-1) > .08 {
			t.Errorf("%s: sd %v of a value beside what its seed shares, want %v", n.name, residual, n.sd)
		}
	}
}

func small(ladders int) plan {
	return plan{
		ladders: ladders, seed: 1, shares: []float64{.005, .01}, seeds: []int{3, 5}, noises: noises()[:2],
		curves: curves(), protocols: ours(),
	}
}

// TestSimulateIgnoresJobs: the tables do not depend on how many simulations run at a time.
func TestSimulateIgnoresJobs(t *testing.T) {
	t.Parallel()
	var out [2]bytes.Buffer
	for i, jobs := range []string{"1", "3"} {
		if err := run(t.Context(), []string{"-ladders", "3", "-jobs", jobs}, &out[i], io.Discard); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(out[0].String(), out[1].String()); diff != "" {
		t.Errorf("tables (-one job +three):\n%s", diff)
	}
	for _, want := range []string{"1.8 + .06·r^−.9", "| Kneedle |", "### unpaired noise, min_gain 1 %, 5 seeds"} {
		if !strings.Contains(out[0].String(), want) {
			t.Errorf("the tables lack %q", want)
		}
	}
}

// TestMoreSeedsMakeNoFalsePlateaus: over 100 ladders of each curve and of two noises, with three seeds and with five, plateaus
// that are clearly false stay below 0.5 % of all and below 6 % in every cell, where 2 % may be reached and 100 ladders scatter by
// 1.4; and five seeds call more plateaus than three. Seeded: it does not flicker.
func TestMoreSeedsMakeNoFalsePlateaus(t *testing.T) {
	t.Parallel()
	p := small(100)
	r, err := p.simulate(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	for k, rule := range p.protocols {
		if rule.seeds > 0 {
			continue
		}
		var by [2]tally
		for s := range p.seeds {
			p.each(r, s, k, func(_ cell, one tally) {
				by[s].merge(one)
				if wrong := one.share(one.clearlyWrong); wrong > 6 {
					t.Errorf("%s, %d seeds: %v %% clearly false plateaus in one cell", rule.name, p.seeds[s], wrong)
				}
			})
			if wrong := by[s].share(by[s].clearlyWrong); wrong > 0.5 {
				t.Errorf("%s, %d seeds: %v %% clearly false plateaus", rule.name, p.seeds[s], wrong)
			}
		}
		if by[1].plateau <= by[0].plateau {
			t.Errorf("%s: five seeds call %d plateaus, three %d", rule.name, by[1].plateau, by[0].plateau)
		}
	}
}

// TestOneSeedIsSeldomWronglyLikely: where seeds share nothing, with the noise assumed and with it given, at most a fifth of the ladders
// of one seed are wrongly called likely plateaus. Seeded: it does not flicker.
func TestOneSeedIsSeldomWronglyLikely(t *testing.T) {
	t.Parallel()
	p := small(100)
	p.seeds, p.noises, p.protocols = []int{1}, noises()[3:], ours()[:2]
	r, err := p.simulate(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	for k, rule := range p.protocols {
		likely := 0
		p.each(r, 0, k, func(c cell, one tally) {
			likely += one.likely
			if wrong := one.share(one.likelyWrong); wrong > 20 {
				t.Errorf("%s, %s: %v %% wrongly likely", rule.name, p.curves[c.curve].name, wrong)
			}
		})
		if likely == 0 {
			t.Errorf("%s calls nothing likely", rule.name)
		}
	}
}

// TestRecommendedIsBetterThanTheIncumbent: what the rule recommends where nothing is sure has less regret than the incumbent, is short of
// min_gain less often, and costs less rank. It is the way that the table names.
func TestRecommendedIsBetterThanTheIncumbent(t *testing.T) {
	t.Parallel()
	p := small(50)
	p.seeds, p.shares, p.noises, p.protocols = []int{3}, []float64{.0025, .005, .01}, noises(), ours()[:1]
	r, err := p.simulate(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	var all tally
	p.each(r, 0, 0, func(_ cell, one tally) { all.merge(one) })
	index := func(name string) int {
		return slices.IndexFunc(choices(), func(c choice) bool { return c.name == name })
	}
	was, is := all.undecided[index("the incumbent")], all.undecided[index("cheapest within min_gain of the lowest mean")]
	if is.regret >= was.regret || is.short >= was.short || is.over >= was.over {
		t.Errorf("recommended: %+v, the incumbent: %+v", is, was)
	}
	l := of(.01, .02, 2, 1.95, 1.9, 1.88, 1.89, 1.87, 1.88, 1.875, 1.87)
	got := p.protocols[0].judge(l)
	if got.claim == claimPlateau || got.rung != got.others[index("cheapest within min_gain of the lowest mean")] {
		t.Errorf("%+v", got)
	}
}

func TestRunRefuses(t *testing.T) {
	t.Parallel()
	if err := run(t.Context(), []string{"-ladders", "0"}, io.Discard, io.Discard); err == nil {
		t.Error("no ladder: want an error")
	}
}

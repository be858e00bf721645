package sweep_test

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/plateau"
	"github.com/ranksweep/ranksweep/sweep/report/prose"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

// course is what a trial's loss did: before the first step, at its best evaluation and at its last.
type course struct{ start, best, last float64 }

// trained gives every trial of a rung that course, seeds hardly apart.
func trained(s *sweep.Snapshot, rank int, c course) {
	finishRung(s, rank, func(seed int64) trial.Outcome {
		o := done(c.best + 0.0003*float64(seed))
		o.BestStep, o.LastValLoss = 2, new(c.last)
		return o
	})
	for _, r := range s.Ladders[0].Rungs {
		for i := range r.Trials {
			if r.Rank == rank {
				r.Trials[i].Evaluations = []sweep.StepLoss{{Step: 0, ValLoss: c.start}, {Step: 4, ValLoss: c.last}}
			}
		}
	}
}

// TestConcludeDiverged: a learning rate that leaves the model worse than it was is named; what it does to ranks is no plateau. The
// model of these ladders has 2048 tokens, whose logarithm is 7.62.
func TestConcludeDiverged(t *testing.T) {
	t.Parallel()
	guess := math.Log(2048)
	fine, blown := course{5.05, 4.6, 4.6}, course{5.05, guess, guess + 0.01}
	for name, test := range map[string]struct {
		courses []course // of ranks 1, 2, 4, ...
		state   plateau.State
		rank    int
		ranks   []int
		flag    string // beside diverged; "" for none
		says    string
	}{
		"every rank ends at guessing": {
			[]course{blown, blown, blown},
			plateau.StateUnstable, 1,
			[]int{1, 2, 4},
			"",
			"training diverged at ranks 1, 2 and 4: val_loss ends at 7.63, 7.63 and 7.63 (guessing among 2048 tokens costs 7.62), from 5.05 " +
				"before the first step; lower learning_rate",
		},
		"every rank ends far above its start": {
			[]course{{5.05, 5.9, 6.1}, {5.05, 5.9, 6.1}, {5.05, 5.9, 6.1}},
			plateau.StateUnstable, 1,
			[]int{1, 2, 4},
			"",
			"ends at 6.1, 6.1 and 6.1, from 5.05",
		},
		"good at first, guessing at last": {
			[]course{{5.05, 4.9, guess}, {5.05, 4.9, guess}, {5.05, 4.9, guess}}, plateau.StateUnstable, 1, []int{1, 2, 4}, "", "diverged",
		},
		"good at first, worse at last is overfitting": {
			[]course{{5.05, 4.6, 5.6}, {5.05, 4.6, 5.6}, {5.05, 4.6, 5.6}}, plateau.StatePlateau, 1, nil, plateau.FlagOverfitting, "gain less",
		},
		"a little above its start is barely trained": {
			[]course{{5.05, 5.08, 5.1}, {5.05, 5.08, 5.1}, {5.05, 5.08, 5.1}}, plateau.StatePlateau, 1, nil, plateau.FlagBarelyTrained, "gain less",
		},
		"guessing from the start is no divergence": {
			[]course{{guess, guess - 0.001, guess}, {guess, guess - 0.001, guess}, {guess, guess - 0.001, guess}},
			plateau.StatePlateau, 1, nil, plateau.FlagBarelyTrained, "gain less",
		},
		"larger ranks alone": {
			[]course{fine, blown, blown}, plateau.StatePlateau, 1, []int{2, 4}, "", "gain less",
		},
		"the lowest rank alone": {
			[]course{blown, fine, fine, fine}, plateau.StatePlateau, 2, []int{1}, "", "gain less",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := registered(t, []float64{16}, []int{1, 2, 4, 8}[:len(test.courses)], 0, 1, 2)
			for i, c := range test.courses {
				trained(&s, 1<<i, c)
			}
			v := sweep.Conclude(s).Verdicts[0]
			if v.State != test.state || v.RecommendedRank != test.rank || !strings.Contains(prose.Reason(v), test.says) {
				t.Errorf("%s rank %d: %s", v.State, v.RecommendedRank, prose.Reason(v))
			}
			if diff := cmp.Diff(test.ranks, v.DivergedRanks); diff != "" {
				t.Errorf("diverged ranks: -want +got\n%s", diff)
			}
			if slices.Contains(v.Flags, plateau.FlagDiverged) != (test.ranks != nil) || test.flag != "" && !slices.Contains(v.Flags, test.flag) {
				t.Errorf("flags %v", v.Flags)
			}
			advice := strings.Join(prose.Advice(v), "\n")
			lowers := strings.Contains(advice, "lower learning_rate (now 0.003)")
			if test.ranks != nil && (!lowers || strings.Contains(advice, "raise learning_rate")) {
				t.Errorf("advice %s", advice)
			}
		})
	}
}

// TestConcludeDivergedElsewhere: NaN and divergence add up, trials that failed and a ladder that goes on come first, and no extra seed
// is drawn where none works.
func TestConcludeDivergedElsewhere(t *testing.T) {
	t.Parallel()
	blown := course{5.05, 7.6, 7.6}
	some := registered(t, []float64{16}, []int{1}, 0, 1, 2)
	trained(&some, 1, blown)
	nan := some.Ladders[0].Rungs[0].Trials[0]
	nan.Attempts[0].Outcome = &trial.Outcome{State: trial.OutcomeUnstable, Step: 3}
	*some.Ladders[0].Rungs[0].Trials[1].Attempts[0].Outcome.LastValLoss = 5
	if v := sweep.Conclude(some).Verdicts[0]; v.State != plateau.StateUnstable || !slices.Contains(v.Flags, plateau.FlagDiverged) {
		t.Errorf("one NaN, one divergence of three: %s %v", v.State, v.Flags)
	}

	running := registered(t, []float64{16}, []int{1, 2}, 0, 1, 2)
	trained(&running, 1, blown)
	if v := sweep.Conclude(running).Verdicts[0]; v.State != plateau.StateRunning || !slices.Contains(v.Flags, plateau.FlagDiverged) {
		t.Errorf("while it runs: %s %v", v.State, v.Flags)
	}
	finishRung(&running, 2, func(int64) trial.Outcome { return trial.Outcome{State: trial.OutcomeFailed, Error: "no luck"} })
	if v := sweep.Conclude(running).Verdicts[0]; v.State != plateau.StateIncomplete {
		t.Errorf("with failed trials: %s", v.State)
	}

	certified := registered(t, []float64{16}, []int{1, 2, 4, 8}, 0, 1)
	certified.Sweep.Rule.Stop, certified.Sweep.Rule.MaxSeeds = plateau.StopCertified, 4
	for i, last := range []float64{7.6, 7.61, 7.59, 7.6} {
		trained(&certified, 1<<i, course{5.05, last, last})
		shiftSeed(&certified, 1<<i, 1, 0.04*float64(i%2))
	}
	d := sweep.Decide(certified, nil, sweep.Capacity{Jobs: 2})
	if len(d.Register) > 0 || !d.Done || d.Verdicts[0].State != plateau.StateUnstable || d.Verdicts[0].Draw != nil {
		t.Errorf("where none works: draws %v, done %t, %s", d.Register, d.Done, d.Verdicts[0].State)
	}
}

package sweep_test

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/plateau"
	"github.com/ranksweep/ranksweep/sweep/report/prose"
	"github.com/ranksweep/ranksweep/sweep/sweeptest"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

func screening(i *sweep.Info) { i.Strategy = sweep.StrategyScreen }

// means makes a trainer whose ladder of ranks 1, 2, 4, 8, 16 and 32 has these mean losses, with seeds as trainer has them.
func means(losses ...float64) sweeptest.Trainer {
	tr := trainer()
	tr.Loss = func(t trial.Trial) float64 {
		return around(losses[slices.Index(climbRanks(), t.Spec.LoRA.Rank)], t.Spec.Seed)
	}
	return tr
}

func climbRanks() []int { return []int{1, 2, 4, 8, 16, 32} }

func around(mean float64, seed int64) float64 {
	return mean + 0.03*float64(seed) + 0.0002*float64(seed*seed)*mean
}

// trainedRanks lists the ranks of a ladder with a finished trial.
func trainedRanks(l sweep.Ladder) []int {
	var ranks []int
	for _, r := range l.Rungs {
		if slices.ContainsFunc(r.Trials, func(f sweep.TrialFacts) bool { return f.Final() != nil && f.Final().State == trial.OutcomeDone }) {
			ranks = append(ranks, r.Rank)
		}
	}
	return ranks
}

// TestScreen: whatever the truncated losses point to, the rank is the one that the rule finds on trained neighbours.
func TestScreen(t *testing.T) {
	t.Parallel()
	// pessimistic truncation: useless far below the trained rank, as measured.
	pessimistic := func(t trial.Trial, rank int) float64 {
		return around(map[int]float64{1: 5.0, 2: 4.9, 4: 4.8, 8: 4.7, 16: 4.6}[rank], t.Spec.Seed)
	}
	tests := map[string]struct {
		trainer sweeptest.Trainer
		change  func(*sweep.Info, *sweeptest.Trainer)
		trained []int
		state   plateau.State
		want    plateau.Screening // without its losses
		rank    int
	}{
		"a knee in the middle": {
			means(4.8, 4.7, 4.6, 4.599, 4.598, 4.597), nil,
			[]int{2, 4, 8, 16, 32},
			plateau.StatePlateau,
			plateau.Screening{Rank: 32, Knee: 4, From: 2, Skipped: []int{1}},
			4,
		},
		"the lowest rank": {
			means(4.6, 4.599, 4.598, 4.597, 4.597, 4.597), nil,
			[]int{1, 2, 4, 32},
			plateau.StatePlateau,
			plateau.Screening{Rank: 32, Knee: 1, From: 1, Skipped: []int{8, 16}},
			1,
		},
		"still improving at the top": {
			means(4.9, 4.8, 4.7, 4.6, 4.5, 4.4), nil,
			[]int{16, 32},
			plateau.StateStillImproving,
			plateau.Screening{Rank: 32, Knee: 32, From: 16, Skipped: []int{1, 2, 4, 8}},
			32,
		},
		"the top is the last strike": {
			means(4.9, 4.8, 4.7, 4.6, 4.599, 4.598), nil,
			[]int{4, 8, 16, 32},
			plateau.StatePlateau,
			plateau.Screening{Rank: 32, Knee: 8, From: 4, Skipped: []int{1, 2}},
			8,
		},
		"pessimistic truncation": {
			means(4.8, 4.7, 4.6, 4.599, 4.598, 4.597), func(_ *sweep.Info, tr *sweeptest.Trainer) { tr.Screened = pessimistic },
			[]int{2, 4, 8, 16, 32},
			plateau.StatePlateau,
			plateau.Screening{Rank: 32, Knee: 16, From: 2, Skipped: []int{1}},
			4,
		},
		"truncation that sees nothing": {
			means(4.9, 4.8, 4.7, 4.6, 4.599, 4.598), func(_ *sweep.Info, tr *sweeptest.Trainer) {
				tr.Screened = func(t trial.Trial, _ int) float64 { return around(5, t.Spec.Seed) }
			},
			[]int{1, 2, 4, 8, 16, 32},
			plateau.StatePlateau,
			plateau.Screening{Rank: 32, Knee: 1, From: 1, Skipped: []int{}},
			8,
		},
		"the top needs too much memory": {
			means(4.8, 4.7, 4.6, 4.599, 4.598, 4.597), func(i *sweep.Info, tr *sweeptest.Trainer) {
				i.Limits.Memory = 1000
				tr.Peak = func(t trial.Trial) int64 { return 40 * int64(t.Spec.LoRA.Rank) }
			}, []int{2, 4, 8, 16}, plateau.StatePlateau, plateau.Screening{Rank: 16, Knee: 4, From: 2, Skipped: []int{1}}, 4,
		},
		"improving up to the memory": {
			means(4.9, 4.8, 4.7, 4.6, 4.5, 4.4), func(i *sweep.Info, tr *sweeptest.Trainer) {
				i.Limits.Memory = 1000
				tr.Peak = func(t trial.Trial) int64 { return 40 * int64(t.Spec.LoRA.Rank) }
			}, []int{8, 16}, plateau.StateMemoryLimited, plateau.Screening{Rank: 16, Knee: 16, From: 8, Skipped: []int{1, 2, 4}}, 16,
		},
		"only the lowest rank fits": {
			means(4.9, 4.8, 4.7, 4.6, 4.5, 4.4), func(i *sweep.Info, tr *sweeptest.Trainer) {
				i.Limits.Memory = 50
				tr.Peak = func(t trial.Trial) int64 { return 40 * int64(t.Spec.LoRA.Rank) }
			}, []int{1}, plateau.StateMemoryLimited, plateau.Screening{Rank: 1, Knee: 1, From: 1, Skipped: []int{}}, 1,
		},
		"one seed of the top fails to give a loss": {
			means(4.8, 4.7, 4.6, 4.599, 4.598, 4.597), func(_ *sweep.Info, tr *sweeptest.Trainer) {
				tr.Unstable = func(t trial.Trial) bool { return t.Spec.LoRA.Rank == 32 && t.Spec.Seed == 1 }
			}, []int{2, 4, 8, 16, 32}, plateau.StatePlateau, plateau.Screening{Rank: 32, Knee: 4, From: 2, Skipped: []int{1}}, 4,
		},
		"a plateau to certify": {
			doubtful(), func(i *sweep.Info, _ *sweeptest.Trainer) { i.Rule.Stop = plateau.StopCertified },
			[]int{1, 2, 4, 8, 32},
			plateau.StatePlateau,
			plateau.Screening{Rank: 32, Knee: 2, From: 1, Skipped: []int{16}},
			2,
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				tr := tt.trainer
				b := newBench(t, tr, func(i *sweep.Info) {
					screening(i)
					if tt.change != nil {
						tt.change(i, &tr)
					}
				})
				b.exec.Script = tr.Script
				s, err := b.run(t.Context(), t, nil)
				if err != nil {
					t.Fatal(err)
				}
				v := sweep.Conclude(s).Verdicts[0]
				if v.State != tt.state || v.RecommendedRank != tt.rank || v.Screening == nil {
					t.Fatalf("%s, rank %d, screening %v (%s)", v.State, v.RecommendedRank, v.Screening, prose.Reason(v))
				}
				got := *v.Screening
				got.Ranks, got.Losses = nil, nil
				if diff := cmp.Diff(tt.want, got); diff != "" {
					t.Errorf("screening (-want +got):\n%s", diff)
				}
				if ranks := trainedRanks(s.Ladders[0]); !slices.Equal(ranks, tt.trained) {
					t.Errorf("trained %v, want %v", ranks, tt.trained)
				}
				if !strings.Contains(prose.Reason(v), "; screened: rank ") {
					t.Errorf("the reason does not say that it was screened: %s", prose.Reason(v))
				}
			})
		})
	}
}

// TestScreenThatFails: what ends the first rank otherwise than for want of memory ends the ladder, which says so.
func TestScreenThatFails(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		change func(*sweep.Info, *sweeptest.Trainer)
		state  plateau.State
		reason string
	}{
		"for good": {func(_ *sweep.Info, tr *sweeptest.Trainer) {
			tr.Crash = func(a trial.Assignment) int {
				if a.Trial.Spec.Seed == 1 && a.Trial.Spec.LoRA.Rank == 32 {
					return 2
				}
				return 0
			}
		}, plateau.StateIncomplete, "1 of 3 trials failed: rank 32, seed 1"},
		"while it is screened": {func(_ *sweep.Info, tr *sweeptest.Trainer) {
			tr.Crash = func(a trial.Assignment) int {
				// From the last step on it writes 3 lines before the first screened rank; from the start, 3 and 4 per step or so.
				if a.Trial.Spec.Seed != 2 || len(a.Screen) == 0 {
					return 0
				}
				if a.Attempt.Number() == 1 {
					return len(trainer().Script(a, -1)) - 1 - len(a.Screen)
				}
				return 3
			}
		}, plateau.StateIncomplete, "1 of 3 trials failed: rank 32, seed 2"},
		"by divergence": {func(_ *sweep.Info, tr *sweeptest.Trainer) {
			tr.Unstable = func(t trial.Trial) bool { return t.Spec.LoRA.Rank == 32 }
		}, plateau.StateUnstable, "3 of 3 seeds of rank 32"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				tr := trainer()
				b := newBench(t, tr, func(i *sweep.Info) { screening(i); tt.change(i, &tr) })
				b.exec.Script = tr.Script
				s, err := b.run(t.Context(), t, nil)
				if err != nil {
					t.Fatal(err)
				}
				v := sweep.Conclude(s).Verdicts[0]
				if v.State != tt.state || !strings.HasPrefix(prose.Reason(v), tt.reason) || !strings.Contains(strings.Join(prose.Advice(v), "\n"),
					"strategy: ladder climbs from rank 1") {
					t.Errorf("%s (%s), advice %q", v.State, prose.Reason(v), prose.Advice(v))
				}
			})
		})
	}
}

// TestScreenOfTrainedTrials: trials of the top rank that another sweep trained without screening are not trained again, and
// keep their loss whatever becomes of the attempt that screens them.
func TestScreenOfTrainedTrials(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		tr := means(4.9, 4.8, 4.7, 4.6, 4.5, 4.4)
		b := newBench(t, tr, nil)
		first, err := b.run(t.Context(), t, nil)
		if err != nil {
			t.Fatal(err)
		}
		before := len(b.exec.Starts())
		b.id = b.register(t, "second", screening)
		s, err := b.run(t.Context(), t, nil)
		if err != nil {
			t.Fatal(err)
		}
		v := sweep.Conclude(s).Verdicts[0]
		if v.RecommendedRank != 32 || len(v.Screening.Ranks) != 5 {
			t.Errorf("rank %d, screening %+v", v.RecommendedRank, v.Screening)
		}
		starts := b.exec.Starts()[before:]
		if len(starts) != 6 { // the top of two ladders, three seeds each
			t.Errorf("%d starts", len(starts))
		}
		for _, a := range starts {
			if a.Trial.Spec.LoRA.Rank != 32 || !slices.Equal(a.Screen, []int{1, 2, 4, 8, 16}) {
				t.Errorf("start of rank %d, screened at %v", a.Trial.Spec.LoRA.Rank, a.Screen)
			}
		}
		again, err := b.store.Snapshot(t.Context(), first.Sweep.ID)
		if err != nil || sweep.Conclude(again).Verdicts[0].RecommendedRank != 32 {
			t.Errorf("the first sweep changed: %v", err)
		}
	})
}

// TestScreenResumes: a worker that dies between two screened ranks is asked only for the rest.
func TestScreenResumes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		tr := trainer()
		crashed := false
		b := newBench(t, tr, screening)
		b.exec.Script = func(a trial.Assignment, from int) []sweeptest.Line {
			lines := tr.Script(a, from)
			if len(a.Screen) > 0 && !crashed {
				crashed = true
				return lines[:len(lines)-4] // two ranks are screened, three and the last word are not
			}
			return lines
		}
		s, err := b.run(t.Context(), t, nil)
		if err != nil {
			t.Fatal(err)
		}
		var again []int
		for _, a := range b.exec.Starts() {
			if a.Attempt.Number() == 2 {
				again = a.Screen
			}
		}
		if !slices.Equal(again, []int{4, 8, 16}) || len(sweep.Conclude(s).Verdicts[0].Screening.Ranks) != 5 {
			t.Errorf("screened again at %v, in all %+v", again, sweep.Conclude(s).Verdicts[0].Screening)
		}
	})
}

// TestScreenCrashesAnywhere is TestSchedulerCrashesAnywhere for a screened sweep: the results are those of an uninterrupted one.
func TestScreenCrashesAnywhere(t *testing.T) {
	t.Parallel()
	crashAnywhere(t, screening, 37, 41, 59)
}

// TestScreenSafeAndOrderFree: in whatever order trials of a random sweep end, at most one rank is trained before the screening,
// none is trained twice at once or without need, and the verdict is the same.
func TestScreenSafeAndOrderFree(t *testing.T) {
	t.Parallel()
	orderFree(t, sweep.StrategyScreen)
}

// orderFree lets random sweeps of a strategy run in two orders each.
func orderFree(t *testing.T, strategy sweep.Strategy) {
	t.Helper()
	rapid.Check(t, func(rt *rapid.T) {
		w := drawWorld(t, rt)
		w.snapshot.Sweep.Strategy = strategy
		for _, v := range checkSame(rt, w.work(rt, "first order"), w.work(rt, "second order")) {
			w.checkScreened(rt, v)
		}
	})
}

// checkScreened holds what must be true of a final verdict: its claim is what the rule says of the trained ranks from the lowest
// of the climb on, and that one is not the incumbent unless it is the grid's lowest or the one below it gave no loss.
func (w world) checkScreened(t *rapid.T, v plateau.Verdict) {
	if v.Screening == nil || v.State == plateau.StateIncomplete || v.State == plateau.StateUnstable || v.State == plateau.StateMemoryLimited ||
		v.State == plateau.StateTimeLimited {
		return
	}
	lowest := w.snapshot.Ladders[0].Rungs[0].Rank
	if v.Screening.From != v.Rungs[0].Rank || v.Incumbent() == v.Screening.From && v.Screening.From != lowest {
		t.Fatalf("%s: rank %d is recommended of a climb from rank %d (%+v)", v.State, v.Incumbent(), v.Rungs[0].Rank, v.Screening)
	}
}

// checkScreen fails if a trial starts that is not to be screened while a rank above it, which fits into memory, is not: all of its
// trials ended, those with a loss screened at every lower rank.
func checkScreen(t *rapid.T, l sweep.Ladder, launch sweep.Launch) {
	top := len(l.Rungs) - 1
	for ; top > 0; top-- {
		refused := map[int]bool{}
		for _, f := range l.Rungs[top].Trials {
			refused[f.Candidate] = refused[f.Candidate] || f.Final() != nil && f.Final().State == trial.OutcomeOverMemory
		}
		if slices.Contains(slices.Collect(maps.Values(refused)), false) {
			break
		}
	}
	if launch.Rank >= l.Rungs[top].Rank { // above it only what had begun goes on
		return
	}
	if len(launch.Screen) > 0 {
		t.Fatalf("rank %d is screened, rank %d is the largest that fits", launch.Rank, l.Rungs[top].Rank)
	}
	for _, f := range l.Rungs[top].Trials {
		done := f.Final() != nil && f.Final().State == trial.OutcomeDone
		if f.Extra || f.Final() != nil && (!done || len(f.Screened) >= top) {
			continue
		}
		t.Fatalf("rank %d starts before trial %s of rank %d is screened", launch.Rank, f.Trial.ID, l.Rungs[top].Rank)
	}
}

package sweep_test

import (
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

func scouting(i *sweep.Info) { i.Strategy = sweep.StrategyScout }

// TestScout: one trial shows every rank, and the rank is the one that the rule finds on trained neighbours of the curve's knee.
func TestScout(t *testing.T) {
	t.Parallel()
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
			[]int{2, 4, 8, 16},
			plateau.StatePlateau,
			plateau.Screening{Rank: 32, Knee: 4, From: 2, Skipped: []int{1, 32}},
			4,
		},
		"the lowest rank": {
			means(4.6, 4.599, 4.598, 4.597, 4.597, 4.597), nil,
			[]int{1, 2, 4},
			plateau.StatePlateau,
			plateau.Screening{Rank: 32, Knee: 1, From: 1, Skipped: []int{8, 16, 32}},
			1,
		},
		"still improving at the top": {
			means(4.9, 4.8, 4.7, 4.6, 4.5, 4.4), nil,
			[]int{16, 32},
			plateau.StateStillImproving,
			plateau.Screening{Rank: 32, Knee: 32, From: 16, Skipped: []int{1, 2, 4, 8}},
			32,
		},
		"a scout that sees a knee too high": {
			means(4.8, 4.7, 4.6, 4.599, 4.598, 4.597), func(_ *sweep.Info, tr *sweeptest.Trainer) {
				tr.Screened = func(t trial.Trial, rank int) float64 {
					return around(map[int]float64{1: 5.0, 2: 4.9, 4: 4.8, 8: 4.7, 16: 4.6}[rank], t.Spec.Seed)
				}
			}, []int{2, 4, 8, 16, 32}, plateau.StatePlateau, plateau.Screening{Rank: 32, Knee: 16, From: 2, Skipped: []int{1}}, 4,
		},
		"a scout that sees nothing": {
			means(4.9, 4.8, 4.7, 4.6, 4.599, 4.598), func(_ *sweep.Info, tr *sweeptest.Trainer) {
				tr.Screened = func(t trial.Trial, _ int) float64 { return around(5, t.Spec.Seed) }
			}, []int{1, 2, 4, 8, 16, 32}, plateau.StatePlateau, plateau.Screening{Rank: 32, Knee: 1, From: 1, Skipped: []int{}}, 8,
		},
		"the top needs too much memory": {
			means(4.8, 4.7, 4.6, 4.599, 4.598, 4.597), func(i *sweep.Info, tr *sweeptest.Trainer) {
				i.Limits.Memory = 1000
				tr.Peak = func(t trial.Trial) int64 { return 40 * int64(t.Spec.LoRA.Rank) }
			}, []int{2, 4, 8, 16}, plateau.StatePlateau, plateau.Screening{Rank: 16, Knee: 4, From: 2, Skipped: []int{1, 32}}, 4,
		},
		"nothing but the curve": {
			means(4.8, 4.7, 4.6, 4.599, 4.598, 4.597), func(i *sweep.Info, _ *sweeptest.Trainer) { i.Strategy = sweep.StrategyCurve },
			nil, plateau.StateInconclusive,
			plateau.Screening{Rank: 32, Knee: 4, Skipped: climbRanks()},
			4,
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				tr := tt.trainer
				b := newBench(t, tr, func(i *sweep.Info) {
					scouting(i)
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
				got, want := *v.Screening, tt.want
				if ranks := climbRanks(); !slices.Equal(got.Ranks, ranks[:slices.Index(ranks, got.Rank)+1]) || len(got.Losses) != len(got.Ranks) {
					t.Errorf("the curve has ranks %v and %d losses", got.Ranks, len(got.Losses))
				}
				if !(got.MinGain > 0) {
					t.Errorf("min_gain %v", got.MinGain)
				}
				got.Ranks, got.Losses, got.MinGain = nil, nil, 0
				want.Scout = true
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("screening (-want +got):\n%s", diff)
				}
				if ranks := trainedRanks(s.Ladders[0]); !slices.Equal(ranks, tt.trained) {
					t.Errorf("trained %v, want %v", ranks, tt.trained)
				}
				if text := prose.Reason(v); !strings.Contains(text, "scouted: one trial of rank ") && !strings.Contains(text, "is an estimate") {
					t.Errorf("the reason does not say that it was scouted: %s", text)
				}
			})
		})
	}
}

// TestScoutThatFails: what ends the scout otherwise than for want of memory ends the ladder, which says so.
func TestScoutThatFails(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		tr := trainer()
		tr.Unstable = func(t trial.Trial) bool { return t.Spec.Shrink != nil }
		s, err := newBench(t, tr, scouting).run(t.Context(), t, nil)
		if err != nil {
			t.Fatal(err)
		}
		v := sweep.Conclude(s).Verdicts[0]
		if v.State != plateau.StateUnstable || !strings.Contains(strings.Join(prose.Advice(v), "\n"),
			"strategy: scout trains rank 32 before all others; strategy: ladder climbs from rank 1") {
			t.Errorf("%s (%s), advice %q", v.State, prose.Reason(v), prose.Advice(v))
		}
	})
}

// TestScoutIsShared: a sweep finds the scout that sweep scout trained, and trains it no more.
func TestScoutIsShared(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, trainer(), func(i *sweep.Info) { i.Strategy = sweep.StrategyCurve })
		if _, err := b.run(t.Context(), t, nil); err != nil {
			t.Fatal(err)
		}
		before := len(b.exec.Starts())
		b.id = b.register(t, "second", scouting)
		if _, err := b.run(t.Context(), t, nil); err != nil {
			t.Fatal(err)
		}
		for _, a := range b.exec.Starts()[before:] {
			if a.Trial.Spec.Shrink != nil {
				t.Errorf("scout %s was trained again", a.Trial.ID)
			}
		}
	})
}

// TestScoutCrashesAnywhere is TestSchedulerCrashesAnywhere for a scouted sweep: the results are those of an uninterrupted one.
func TestScoutCrashesAnywhere(t *testing.T) {
	t.Parallel()
	crashAnywhere(t, scouting, 37, 41, 59)
}

// TestScoutSafeAndOrderFree: in whatever order trials of a random sweep end, no rank is trained before the scout has ended, none is
// trained twice at once, and the verdict is the same.
func TestScoutSafeAndOrderFree(t *testing.T) {
	t.Parallel()
	orderFree(t, sweep.StrategyScout)
}

// checkScouts fails if a rank's own trial starts before the scouts of all ladders that race have ended.
func checkScouts(t *rapid.T, s sweep.Snapshot, launch sweep.Launch) {
	checkScout(t, s.Ladders[launch.Ladder], launch)
	isScout := slices.ContainsFunc(s.Ladders[launch.Ladder].Scouts, func(f sweep.TrialFacts) bool { return f.Trial.ID == launch.Trial })
	if !s.Sweep.Race || len(s.Ladders[0].Rungs) < 3 || isScout {
		return
	}
	for _, l := range s.Ladders {
		checkScout(t, l, launch)
	}
}

// checkScout fails if a rank's own trial starts before a scout of the largest rank that fits has ended.
func checkScout(t *rapid.T, l sweep.Ladder, launch sweep.Launch) {
	if slices.ContainsFunc(l.Scouts, func(f sweep.TrialFacts) bool { return f.Trial.ID == launch.Trial }) {
		return
	}
	if len(l.Rungs) == 1 {
		return
	}
	if len(l.Scouts) == 0 {
		t.Fatalf("rank %d starts before any scout", launch.Rank)
	}
	for _, f := range l.Scouts {
		shown := f.Final() != nil && (f.Final().State != trial.OutcomeDone || len(f.Screened) == len(f.Trial.Spec().Shrink.To))
		if f.Final() == nil || !shown {
			t.Fatalf("rank %d starts before scout %s of rank %d has ended", launch.Rank, f.Trial.ID, f.Trial.Rank)
		}
	}
}

// unshown lists the ranks that a scout is still to show; none for another trial.
func unshown(s sweep.Snapshot, id trial.ID) []int {
	var ranks []int
	for _, l := range s.Ladders {
		for _, f := range l.Scouts {
			if f.Trial.ID != id || ranks != nil {
				continue
			}
			for _, to := range f.Trial.Spec().Shrink.To {
				if !slices.ContainsFunc(f.Screened, func(s trial.Screened) bool { return s.Rank == to.Rank }) {
					ranks = append(ranks, to.Rank)
				}
			}
		}
	}
	return ranks
}

// registerScout adds a scout that a decision asks for, which must be no more than one per rank and candidate.
func (w world) registerScout(t *rapid.T, s *sweep.Snapshot, ladder int, extra sweep.ExtraTrial) {
	l := &s.Ladders[ladder]
	facts := sweep.TrialFacts{Trial: extra.Trial, Candidate: extra.Candidate}
	for _, other := range s.Ladders { // a shared one may be known
		for _, f := range other.Scouts {
			if f.Trial.ID == extra.Trial.ID {
				facts.Attempts, facts.Screened = slices.Clone(f.Attempts), slices.Clone(f.Screened)
			}
		}
	}
	for _, f := range l.Scouts {
		if f.Trial.ID == extra.Trial.ID {
			t.Fatalf("scout %s is registered twice", extra.Trial.ID)
		}
	}
	l.Scouts = append(l.Scouts, facts)
	if _, known := w.fate[extra.Trial.ID]; !known {
		kind := map[int]trial.OutcomeState{28: trial.OutcomeOverMemory, 29: trial.OutcomeOverTime}[rapid.IntRange(0, 29).Draw(t, "scout")]
		fate := drawFate(t, kind, extra.Rank)
		if fate.State == trial.OutcomeDone && w.behind != nil {
			fate = done(*fate.ValLoss + w.behind[ladder])
		}
		w.fate[extra.Trial.ID] = fate
	}
}

// TestScoutTrainsSeedsAsNeeded: the ranks around the knee count with as many seeds as any, whatever idle jobs train ahead.
func TestScoutTrainsSeedsAsNeeded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, means(4.8, 4.7, 4.6, 4.599, 4.598, 4.597), func(i *sweep.Info) {
			scouting(i)
			i.Rule.SeedsPerRank = plateau.NeededSeeds
		})
		b.capacity.Jobs = 12
		s, err := b.run(t.Context(), t, nil)
		if err != nil {
			t.Fatal(err)
		}
		var seeds []int64
		v := sweep.Conclude(s).Verdicts[0]
		for _, f := range s.Ladders[0].Needed(v, s.Sweep).Rungs[1].Trials {
			if len(f.Attempts) > 0 {
				seeds = append(seeds, f.Trial.Seed)
			}
		}
		if v.Screening.From != 2 || v.RecommendedRank != 4 || !slices.Equal(seeds, []int64{0, 1}) {
			t.Errorf("rank 2, below the knee at rank %d, trained seeds %v", v.Screening.Knee, seeds)
		}
	})
}

// TestScoutOfNeededSeedsCrashesAnywhere is TestScoutCrashesAnywhere with seeds as needed.
func TestScoutOfNeededSeedsCrashesAnywhere(t *testing.T) {
	t.Parallel()
	crashAnywhere(t, func(i *sweep.Info) { scouting(i); i.Rule.SeedsPerRank = plateau.NeededSeeds }, 37, 41, 59)
}

// TestFailedScoutIsNamed: the trial that ended the ladder is none of the rung's.
func TestFailedScoutIsNamed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		tr := means(4.8, 4.7, 4.6, 4.599, 4.598, 4.597)
		tr.Crash = func(trial.Assignment) int { return 1 }
		b := newBench(t, tr, scouting)
		b.exec.Script = tr.Script
		s, err := b.run(t.Context(), t, nil)
		if err != nil {
			t.Fatal(err)
		}
		v, id := sweep.Conclude(s).Verdicts[0], string(s.Ladders[0].Scouts[0].Trial.ID)
		if advice := prose.Advice(v); v.Reason.Count != 1 || v.Reason.Trials[0].Trial != id ||
			advice[0] != "sweep logs "+id+" shows what the failed trial printed" {
			t.Errorf("%s: %q", prose.Reason(v), advice)
		}
	})
}

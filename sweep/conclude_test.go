package sweep_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/plateau"
	"github.com/ranksweep/ranksweep/sweep/report/prose"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

func TestConcludeStates(t *testing.T) {
	t.Parallel()
	fail := func(state trial.OutcomeState) func(int64) trial.Outcome {
		return func(int64) trial.Outcome { return trial.Outcome{State: state, Error: "no luck", Step: 3} }
	}
	climb := func(s *sweep.Snapshot, losses ...float64) {
		for i, l := range losses {
			finishRung(s, 1<<i, loss(l))
		}
	}
	tests := map[string]struct {
		facts  func(s *sweep.Snapshot)
		state  plateau.State
		rank   int
		next   int
		reason string
	}{
		"running, nothing done": {func(*sweep.Snapshot) {}, plateau.StateRunning, 0, 0, "rank 1: 0 of 3"},
		"running": {func(s *sweep.Snapshot) {
			climb(s, 4.8)
		}, plateau.StateRunning, 1, 0, "rank 2: 0 of 3"},
		"incomplete": {func(s *sweep.Snapshot) {
			climb(s, 4.8, 4.7)
			finishRung(s, 4, fail(trial.OutcomeFailed))
		}, plateau.StateIncomplete, 2, 0, "3 of 3 trials failed: rank 4, seed 0"},
		"unstable": {func(s *sweep.Snapshot) {
			climb(s, 4.8)
			finishRung(s, 2, fail(trial.OutcomeUnstable))
		}, plateau.StateUnstable, 1, 0, "seed 0 at step 3"},
		"one unstable seed of three is left out": {func(s *sweep.Snapshot) {
			climb(s, 4.8)
			finishRung(s, 2, func(seed int64) trial.Outcome {
				if seed == 2 {
					return fail(trial.OutcomeUnstable)(seed)
				}
				return loss(4.6)(seed)
			})
		}, plateau.StateRunning, 2, 0, ""},
		"overfit": {func(s *sweep.Snapshot) {
			climb(s, 4.8, 4.6)
			finishRung(s, 4, overfitting(4.7, 4.0))
			finishRung(s, 8, overfitting(4.8, 3.0))
		}, plateau.StateOverfit, 2, 0, "memorise"},
		"plateau": {func(s *sweep.Snapshot) {
			climb(s, 4.8, 4.6, 4.6, 4.599)
		}, plateau.StatePlateau, 2, 0, "ranks 4 and 8 gain less than min_gain 0.0242 over rank 2"},
		"a plateau ignores what lies beyond it": {func(s *sweep.Snapshot) {
			climb(s, 4.8, 4.6, 4.6, 4.599)
			finishRung(s, 16, fail(trial.OutcomeFailed))
		}, plateau.StatePlateau, 2, 0, ""},
		"likely plateau": {func(s *sweep.Snapshot) {
			climb(s, 4.8, 4.6, 4.598, 4.599)
			shiftSeed(s, 4, 0, 0.022)
			shiftSeed(s, 4, 1, -0.02)
		}, plateau.StateLikelyPlateau, 2, 0, "probably"},
		"memory limited": {func(s *sweep.Snapshot) {
			s.Sweep.Limits.Memory = 8 << 30
			climb(s, 4.8, 4.7)
			finishRung(s, 4, fail(trial.OutcomeOverMemory))
		}, plateau.StateMemoryLimited, 2, 4, "rank 4 needs more memory than limits.memory allows (8 GiB); up to rank 2"},
		"memory limited after a likely plateau": {func(s *sweep.Snapshot) {
			climb(s, 4.8, 4.6, 4.6)
			finishRung(s, 8, fail(trial.OutcomeOverMemory))
		}, plateau.StateMemoryLimited, 2, 8, "up to rank 4: rank 4 gains probably less than min_gain 0.0242 over rank 2"},
		"one seed over memory ends the rung": {func(s *sweep.Snapshot) {
			climb(s, 4.8)
			finish(s, s.Ladders[0].Rungs[1].Trials[0].Trial.ID, fail(trial.OutcomeOverMemory)(0))
		}, plateau.StateMemoryLimited, 1, 2, "rank 2 needs more memory than the machine has"},
		"time limited": {func(s *sweep.Snapshot) {
			s.Sweep.Limits.Time, s.Sweep.Elapsed = 2*time.Hour, 2*time.Hour
			climb(s, 4.8)
		}, plateau.StateTimeLimited, 1, 2, "limits.time (2h) ran out before rank 2"},
		"tokens limited": {func(s *sweep.Snapshot) {
			s.Sweep.Limits.Tokens, s.Sweep.Tokens = 5000, 5000
			climb(s, 4.8)
		}, plateau.StateTimeLimited, 1, 2, "limits.tokens (5000) ran out before rank 2"},
		"a verdict survives the end of tokens": {func(s *sweep.Snapshot) {
			s.Sweep.Limits.Tokens, s.Sweep.Tokens = 5000, 6000
			climb(s, 4.8, 4.6, 4.6, 4.599)
		}, plateau.StatePlateau, 2, 0, ""},
		"a trial over time": {func(s *sweep.Snapshot) {
			s.Sweep.Limits.TrialTime = 90 * time.Second
			climb(s, 4.8)
			finishRung(s, 2, fail(trial.OutcomeOverTime))
		}, plateau.StateTimeLimited, 1, 2, "longer than limits.trial_time (1m30s)"},
		"a verdict survives the end of time": {func(s *sweep.Snapshot) {
			s.Sweep.Limits.Time, s.Sweep.Elapsed = time.Hour, 2*time.Hour
			climb(s, 4.8, 4.6, 4.6, 4.599)
		}, plateau.StatePlateau, 2, 0, ""},
		"still improving": {func(s *sweep.Snapshot) {
			climb(s, 4.8, 4.7, 4.6, 4.5, 4.4)
		}, plateau.StateStillImproving, 16, 32, "the last rank, 16, still gains"},
		"crashed out": {func(s *sweep.Snapshot) {
			climb(s, 4.8)
			finishRung(s, 2, loss(4.7))
			edit(s, s.Ladders[0].Rungs[2].Trials[0].Trial.ID, crashes(5, -1))
			finish(s, s.Ladders[0].Rungs[2].Trials[1].Trial.ID, loss(4.6)(1))
			finish(s, s.Ladders[0].Rungs[2].Trials[2].Trial.ID, loss(4.6)(2))
		}, plateau.StateIncomplete, 2, 0, "crashed 5 times in a row without getting further (signal: killed)"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := registered(t, []float64{16}, []int{1, 2, 4, 8, 16}, 0, 1, 2)
			tt.facts(&s)
			v := sweep.Conclude(s).Verdicts[0]
			if v.State != tt.state || v.RecommendedRank != tt.rank || !strings.Contains(prose.Reason(v), tt.reason) {
				t.Errorf("Conclude = %s, rank %d, %q, want %s, rank %d, %q", v.State, v.RecommendedRank, prose.Reason(v), tt.state, tt.rank, tt.reason)
			}
			if got := next(v); got != tt.next {
				t.Errorf("next rank %d, want %d", got, tt.next)
			}
			if v.State != plateau.StateRunning && len(prose.Advice(v)) == 0 {
				t.Error("no advice")
			}
		})
	}
}

func next(v plateau.Verdict) int {
	if v.Next == nil {
		return 0
	}
	return v.Next.Rank
}

// overfitting is a rung that generalises worse than it trains.
func overfitting(val, train float64) func(int64) trial.Outcome {
	return func(seed int64) trial.Outcome {
		o := loss(val)(seed)
		o.TrainLoss = &train
		return o
	}
}

// shiftSeed adds noise to one seed of a rung.
func shiftSeed(s *sweep.Snapshot, rank int, seed int64, by float64) {
	for _, r := range s.Ladders[0].Rungs {
		for _, f := range r.Trials {
			if r.Rank == rank && f.Trial.Seed == seed {
				*f.Final().ValLoss += by
			}
		}
	}
}

// crashes gives a trial n attempts that crashed, each with this checkpoint.
func crashes(n, checkpoint int) func(*sweep.TrialFacts) {
	return func(f *sweep.TrialFacts) {
		for range n {
			number := len(f.Attempts) + 1
			f.Attempts = append(f.Attempts, sweep.AttemptFacts{
				ID: trial.NewAttemptID(f.Trial.ID, number), Number: number, CheckpointStep: checkpoint,
				Outcome: &trial.Outcome{State: trial.OutcomeCrashed, Error: "signal: killed"},
			})
		}
	}
}

func TestConcludeInconclusive(t *testing.T) {
	t.Parallel()
	s := registered(t, []float64{16}, []int{8}, 0, 1, 2)
	finishRung(&s, 8, loss(4.7))
	if v := sweep.Conclude(s).Verdicts[0]; v.State != plateau.StateInconclusive || v.RecommendedRank != 8 {
		t.Errorf("one rank: %s, rank %d (%s)", v.State, v.RecommendedRank, prose.Reason(v))
	}
	s = registered(t, []float64{16}, []int{1, 2}, 0, 1, 2)
	finishRung(&s, 1, loss(4.8))
	finishRung(&s, 2, loss(4.77))
	shiftSeed(&s, 2, 0, 0.03)
	v := sweep.Conclude(s).Verdicts[0]
	if v.State != plateau.StateInconclusive || v.RecommendedRank != 1 || v.SeedsToCertify == nil {
		t.Errorf("unresolved: %s, rank %d, seeds %v (%s)", v.State, v.RecommendedRank, v.SeedsToCertify, prose.Reason(v))
	}
}

// TestConcludeStepLimited: from step 2 to 4 of 4 the loss falls by 0.02, so at that rate four more steps would win 0.04.
func TestConcludeStepLimited(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		fall float64
		want bool
	}{"falling": {0.02, true}, "flat": {0.01, false}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := registered(t, []float64{16}, []int{1, 2}, 0, 1)
			for _, r := range s.Ladders[0].Rungs {
				finishRung(&s, r.Rank, loss(4.8))
				for _, f := range r.Trials {
					edit(&s, f.Trial.ID, func(f *sweep.TrialFacts) {
						y := *f.Final().ValLoss
						f.Evaluations = []sweep.StepLoss{{Step: 0, ValLoss: 6}, {Step: 2, ValLoss: y + tt.fall}, {Step: 4, ValLoss: y}}
					})
				}
			}
			if v := sweep.Conclude(s).Verdicts[0]; slices.Contains(v.Flags, plateau.FlagStepLimited) != tt.want {
				t.Errorf("flags %v with a fall of %v", v.Flags, tt.fall)
			}
		})
	}
}

// TestConcludeNext: memory and time of the next rank lie on the line through the last two rungs, and a ladder as wide as its
// layers has no next rank.
func TestConcludeNext(t *testing.T) {
	t.Parallel()
	s := registered(t, []float64{16}, []int{16, 64}, 0, 1, 2)
	for i, r := range s.Ladders[0].Rungs {
		finishRung(&s, r.Rank, loss(4.8-0.2*float64(i)))
		for _, f := range r.Trials {
			edit(&s, f.Trial.ID, func(f *sweep.TrialFacts) {
				peak := int64(1000 + 10*r.Rank)
				f.Memory.PeakHostBytes = &peak
			})
		}
	}
	v := sweep.Conclude(s).Verdicts[0]
	want := &plateau.NextRung{Rank: 128, PredictedBytes: new(int64(2280)), TrainSeconds: new(1.0), Seeds: 3}
	if diff := cmp.Diff(want, v.Next); diff != "" {
		t.Errorf("next (-want +got):\n%s", diff)
	}
	s = registered(t, []float64{16}, []int{64, 128}, 0, 1, 2)
	finishRung(&s, 64, loss(4.8))
	finishRung(&s, 128, loss(4.6))
	if v := sweep.Conclude(s).Verdicts[0]; v.State != plateau.StateStillImproving || v.Next != nil {
		t.Errorf("at the layers' width: %s, next %v", v.State, v.Next)
	}
}

// TestConcludeBarelyTrained: ranks that all stayed where they began are equal for the wrong reason, and the verdict says so.
func TestConcludeBarelyTrained(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		before float64 // validation loss before the first step
		want   bool
	}{
		"hardly moved": {4.801, true},
		"trained":      {5.4, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := registered(t, []float64{16}, []int{1, 2, 4}, 0, 1, 2)
			for _, rank := range []int{1, 2, 4} {
				finishRung(&s, rank, loss(4.8))
			}
			for _, rung := range s.Ladders[0].Rungs {
				for i := range rung.Trials {
					rung.Trials[i].Evaluations = []sweep.StepLoss{{Step: 0, ValLoss: test.before}}
				}
			}
			v := sweep.Conclude(s).Verdicts[0]
			if got := slices.Contains(v.Flags, plateau.FlagBarelyTrained); got != test.want {
				t.Errorf("flags %v with a loss of %v before the first step", v.Flags, test.before)
			}
		})
	}
}

// TestConcludeAtTheWidestTarget: a ladder that ends there is not told to add a rank, nor one that goes on.
func TestConcludeAtTheWidestTarget(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		ranks  []int
		losses []float64
		state  plateau.State
		want   []plateau.Code
		not    []plateau.Code
	}{
		"still improving": {
			[]int{64, 128},
			[]float64{4.8, 4.6},
			plateau.StateStillImproving,
			[]plateau.Code{plateau.AdviseWidest},
			[]plateau.Code{plateau.AdviseLargerRanks, plateau.AdviseNextRank, plateau.AdviseNewName},
		},
		"patience has not run out": {
			[]int{64, 128},
			[]float64{4.8, 4.8},
			plateau.StateLikelyPlateau,
			[]plateau.Code{plateau.AdviseWidest},
			[]plateau.Code{plateau.AdviseClimb, plateau.AdviseNewName},
		},
		"below it": {
			[]int{32, 96},
			[]float64{4.8, 4.6},
			plateau.StateStillImproving,
			[]plateau.Code{plateau.AdviseLargerRanks, plateau.AdviseNewName, plateau.AdviseNextRank},
			[]plateau.Code{plateau.AdviseWidest},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := registered(t, []float64{16}, tt.ranks, 0, 1, 2)
			for i, y := range tt.losses {
				finishRung(&s, tt.ranks[i], loss(y))
			}
			v := sweep.Conclude(s).Verdicts[0]
			has := func(code plateau.Code) bool {
				return slices.ContainsFunc(v.Advice, func(f plateau.Finding) bool { return f.Code == code })
			}
			if v.State != tt.state || slices.ContainsFunc(tt.not, has) ||
				slices.ContainsFunc(tt.want, func(c plateau.Code) bool { return !has(c) }) {
				t.Errorf("%s: %v", v.State, v.Advice)
			}
			if v.Next != nil && v.Next.Rank > 128 {
				t.Errorf("rank %d is next, past the widest target", v.Next.Rank)
			}
		})
	}
}

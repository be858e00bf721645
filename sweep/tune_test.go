package sweep_test

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/plateau"
	"github.com/ranksweep/ranksweep/sweep/report/prose"
	"github.com/ranksweep/ranksweep/sweep/sweeptest"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

// tuned gives the trials of a rung of the first ladder outcomes by learning rate.
func tuned(s *sweep.Snapshot, rank int, of map[float64]func(seed int64) trial.Outcome) {
	for _, r := range s.Ladders[0].Rungs {
		for _, f := range r.Trials {
			if spec := f.Trial.Spec(); r.Rank == rank && of[spec.Train.LearningRate] != nil {
				finish(s, f.Trial.ID, of[spec.Train.LearningRate](spec.Seed))
			}
		}
	}
}

// ends are the outcomes of a rung whose trials all end so.
func ends(state trial.OutcomeState) func(int64) trial.Outcome {
	return func(int64) trial.Outcome { return trial.Outcome{State: state, Error: "no luck", Step: 3} }
}

// except gives one seed another end.
func except(of func(int64) trial.Outcome, seed int64, state trial.OutcomeState) func(int64) trial.Outcome {
	return func(s int64) trial.Outcome {
		if s == seed {
			return ends(state)(s)
		}
		return of(s)
	}
}

// TestTunedRung: what makes a rung of three candidates count, and which of them stands for it.
func TestTunedRung(t *testing.T) {
	t.Parallel()
	type outcomes = map[float64]func(int64) trial.Outcome
	tests := map[string]struct {
		rung   outcomes
		chosen int // -1: none
		state  plateau.State
		reason string
	}{
		"the lowest mean":     {outcomes{1e-3: loss(4.8), 2e-3: loss(4.6), 3e-3: loss(4.7)}, 1, plateau.StateInconclusive, "one rank"},
		"the first of equals": {outcomes{1e-3: loss(4.8), 2e-3: loss(4.6), 3e-3: loss(4.6)}, 1, plateau.StateInconclusive, "one rank"},
		"unstable ones drop out": {
			outcomes{1e-3: loss(4.8), 2e-3: loss(4.7), 3e-3: ends(trial.OutcomeUnstable)},
			1, plateau.StateInconclusive, "one rank",
		},
		"those over memory drop out": {
			outcomes{1e-3: loss(4.8), 2e-3: ends(trial.OutcomeOverMemory), 3e-3: ends(trial.OutcomeOverTime)},
			0, plateau.StateInconclusive, "one rank",
		},
		"every seed before a low mean": {
			outcomes{1e-3: loss(4.8), 2e-3: except(loss(4.1), 1, trial.OutcomeUnstable), 3e-3: loss(4.9)},
			0, plateau.StateInconclusive, "one rank",
		},
		"all unstable": {
			outcomes{1e-3: ends(trial.OutcomeUnstable), 2e-3: ends(trial.OutcomeUnstable), 3e-3: ends(trial.OutcomeOverMemory)},
			-1, plateau.StateUnstable, "6 of 9 trials of rank 1 stopped on a loss or gradient that is not finite: seed 0, " +
				"learning_rate=0.001 at step 3;",
		},
		"all over memory": {
			outcomes{1e-3: ends(trial.OutcomeOverMemory), 2e-3: ends(trial.OutcomeOverMemory), 3e-3: ends(trial.OutcomeOverMemory)},
			-1, plateau.StateMemoryLimited, "rank 1 needs more memory",
		},
		"one failed": {
			outcomes{1e-3: loss(4.8), 2e-3: loss(4.7), 3e-3: except(loss(4.6), 1, trial.OutcomeFailed)},
			-1, plateau.StateIncomplete, "1 of 9 trials failed: rank 1, seed 1, learning_rate=0.003",
		},
		"one candidate to do": {outcomes{1e-3: loss(4.8), 3e-3: loss(4.6)}, -1, plateau.StateRunning, "rank 1: 6 of 9"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := registeredTuned(t, []float64{1e-3, 2e-3, 3e-3}, []float64{16}, []int{1}, 0, 1, 2)
			tuned(&s, 1, tt.rung)
			if got, ok := s.Ladders[0].Rungs[0].Chosen(); ok != (tt.chosen >= 0) || ok && got != tt.chosen {
				t.Errorf("Chosen = %d, %v, want %d", got, ok, tt.chosen)
			}
			v := sweep.Conclude(s).Verdicts[0]
			if v.State != tt.state || !strings.Contains(prose.Reason(v), tt.reason) {
				t.Errorf("Conclude = %s, %q, want %s, %q", v.State, prose.Reason(v), tt.state, tt.reason)
			}
			starts := 0
			if tt.state == plateau.StateRunning {
				starts = 3
			}
			if d := sweep.Decide(s, nil, sweep.Capacity{Jobs: 99}); len(d.Start) != starts {
				t.Errorf("%d starts, want %d", len(d.Start), starts)
			}
		})
	}
}

// TestTuneClosesOneCandidate: a candidate over memory begins no other seed, the others go on.
func TestTuneClosesOneCandidate(t *testing.T) {
	t.Parallel()
	s := registeredTuned(t, []float64{1e-3, 3e-3}, []float64{16}, []int{1, 2}, 0, 1)
	finish(&s, s.Ladders[0].Rungs[0].Trials[0].Trial.ID, trial.Outcome{State: trial.OutcomeOverMemory})
	d := sweep.Decide(s, nil, sweep.Capacity{Jobs: 9})
	var starts []trial.ID
	for _, l := range d.Start {
		starts = append(starts, l.Trial)
	}
	if diff := cmp.Diff([]trial.ID{sweeptest.TrialAt(3e-3, 16, 1, 0).ID, sweeptest.TrialAt(3e-3, 16, 1, 1).ID}, starts); diff != "" {
		t.Errorf("starts (-want +got):\n%s", diff)
	}
}

// TestTuneEdges: the best learning rate grows with rank, from inside the list to its end.
func TestTuneEdges(t *testing.T) {
	t.Parallel()
	s := registeredTuned(t, []float64{2e-3, 1e-3, 3e-3}, []float64{16}, []int{1, 2, 4}, 0, 1, 2)
	for rank, best := range map[int]float64{1: 2e-3, 2: 3e-3, 4: 3e-3} {
		of := map[float64]func(int64) trial.Outcome{}
		for _, rate := range []float64{1e-3, 2e-3, 3e-3} {
			of[rate] = loss(4.9)
			if rate == best {
				of[rate] = loss(4.8 - float64(min(rank, 2))/10)
			}
		}
		tuned(&s, rank, of)
	}
	v := sweep.Conclude(s).Verdicts[0]
	if diff := cmp.Diff([]string{"edge_of_learning_rate"},
		slices.DeleteFunc(v.Flags, func(f string) bool { return f == plateau.FlagScale })); diff != "" {
		t.Errorf("flags (-want +got):\n%s", diff)
	}
	advice := strings.Join(prose.Advice(v), "\n")
	for _, want := range []string{
		"the best learning_rate of ranks 2 and 4 is the largest of its list: add a larger value",
		"each rank stands for the best of its 3 candidates on the same seeds",
	} {
		if !strings.Contains(advice, want) {
			t.Errorf("advice lacks %q:\n%s", want, advice)
		}
	}
}

// TestEdges: a candidate lies at an edge of an axis where it has the smallest or the largest of the numbers listed, in
// whatever order; words have no edges, and nothing lies below 0.
func TestEdges(t *testing.T) {
	t.Parallel()
	var l sweep.Ladder
	for _, values := range [][3]string{{"2r", "0", "[a]"}, {"1r", "0.01", "[b]"}, {"4r", "0.1", "[c]"}} {
		l.Candidates = append(l.Candidates, sweep.Cell{
			{Name: "alpha", Value: values[0]}, {Name: "weight_decay", Value: values[1]}, {Name: "target_modules", Value: values[2]},
		})
	}
	for candidate, want := range [][]sweep.Edge{
		nil,
		{{Axis: "alpha", Side: sweep.EdgeSmallest}},
		{{Axis: "alpha", Side: sweep.EdgeLargest}, {Axis: "weight_decay", Side: sweep.EdgeLargest}},
	} {
		if diff := cmp.Diff(want, l.Edges(candidate)); diff != "" {
			t.Errorf("Edges(%d) (-want +got):\n%s", candidate, diff)
		}
	}
}

// TestSchedulerTunes: every candidate of a rung is trained before the next rung, and the ladder climbs on the best ones.
func TestSchedulerTunes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		tr := trainer()
		plain := tr.Loss
		tr.Loss = func(t trial.Trial) float64 {
			if best := t.Spec.LoRA.Rank <= 2; best == (t.Spec.Train.LearningRate == 3e-3) {
				return plain(t)
			}
			return plain(t) + 0.5
		}
		b := &bench{store: &sweeptest.MemStore{}, exec: &sweeptest.FakeExecutor{Script: tr.Script}, capacity: sweep.Capacity{Jobs: 4}}
		var err error
		if b.id, err = b.store.CreateSweep(t.Context(), sweeptest.Info("test", 0, 1, 2)); err != nil {
			t.Fatal(err)
		}
		r := sweeptest.TunedRegistration([]float64{1e-3, 3e-3}, []float64{16}, []int{1, 2, 4, 8, 16, 32}, []int64{0, 1, 2})
		if err := b.store.Register(t.Context(), b.id, r); err != nil {
			t.Fatal(err)
		}
		s, err := b.run(t.Context(), t, nil)
		if err != nil {
			t.Fatal(err)
		}
		v := sweep.Conclude(s).Verdicts[0]
		if v.State != plateau.StatePlateau || v.RecommendedRank != 4 || len(v.Rungs) != 5 {
			t.Errorf("%s, rank %d after %d rungs (%s)", v.State, v.RecommendedRank, len(v.Rungs), prose.Reason(v))
		}
		starts := b.exec.Starts()
		if len(starts) != 2*5*3 {
			t.Errorf("%d starts, want 30", len(starts))
		}
		for i, a := range starts {
			if rank := a.Trial.Spec.LoRA.Rank; rank != 1<<(i/6) {
				t.Errorf("start %d is of rank %d", i, rank)
			}
			if c := a.Calibration; c != nil && c.PeakBytes == 0 {
				t.Errorf("start %d has calibration %+v", i, c)
			}
		}
		for i, want := range []int{1, 1, 0, 0, 0} {
			if got, _ := s.Ladders[0].Rungs[i].Chosen(); got != want {
				t.Errorf("rank %d stands on candidate %d, want %d", 1<<i, got, want)
			}
		}
	})
}

package sweep_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/plateau"
	"github.com/ranksweep/ranksweep/sweep/sweeptest"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

// refer gives the ladders of a snapshot a reference of two learning rates.
func refer(s *sweep.Snapshot) {
	for i := range s.Ladders {
		var facts []sweep.TrialFacts
		for _, p := range sweeptest.Reference([]float64{1e-4, 1e-5}, s.Sweep.Seeds) {
			facts = append(facts, sweep.TrialFacts{Trial: p.Trial, Candidate: p.Candidate})
		}
		s.Ladders[i].Reference = facts
	}
}

// checkReference fails if a ladder's reference starts before the ladder has an end.
func checkReference(t *rapid.T, s sweep.Snapshot, launch sweep.Launch) {
	if v := sweep.Conclude(s).Verdicts[launch.Ladder]; v.State == plateau.StateRunning {
		t.Fatalf("the reference of ladder %d starts while the ladder is %s", launch.Ladder, v.State)
	}
}

// TestReferenceChangesNoVerdict: with a reference, whatever becomes of it, every ladder ends with the verdict that it has without, and
// those that came to their own end have a reference that is over.
func TestReferenceChangesNoVerdict(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		w := drawWorld(t, rt)
		without := sweep.Conclude(w.work(rt, "without"))
		refer(&w.snapshot)
		for _, f := range w.snapshot.Ladders[0].Reference {
			kind := map[int]trial.OutcomeState{8: trial.OutcomeOverMemory, 9: trial.OutcomeOverTime}[rapid.IntRange(0, 9).Draw(rt, "reference")]
			w.fate[f.Trial.ID] = drawFate(rt, kind, 4)
		}
		facts := w.work(rt, "with")
		with := sweep.Conclude(facts)
		if diff := cmp.Diff(without, with); diff != "" {
			rt.Fatalf("verdicts (-without +with a reference):\n%s", diff)
		}
		for i, v := range with.Verdicts {
			trials := facts.Ladders[i].Reference
			limited := slices.ContainsFunc(trials, func(f sweep.TrialFacts) bool {
				return f.State() == sweep.TrialOverMemory || f.State() == sweep.TrialOverTime
			})
			open := slices.ContainsFunc(trials, func(f sweep.TrialFacts) bool { return !f.State().Over() })
			if v.State == plateau.StatePlateau && open && !limited {
				rt.Fatalf("ladder %d is done, its reference is not: %+v", i, trials)
			}
		}
	})
}

func TestReferenceStarts(t *testing.T) {
	t.Parallel()
	climbed := func() sweep.Snapshot {
		s := registered(t, []float64{16, 32}, []int{1, 2}, 0, 1)
		refer(&s)
		for _, r := range s.Ladders[0].Rungs {
			for _, f := range r.Trials {
				finish(&s, f.Trial.ID, done(4.8))
			}
		}
		return s
	}
	s := climbed()
	first := s.Ladders[0].Reference[0].Trial.ID
	started := func(s sweep.Snapshot, jobs int) (ranks []int) {
		for _, l := range sweep.Decide(s, nil, sweep.Capacity{Jobs: jobs}).Start {
			ranks = append(ranks, l.Rank)
		}
		return ranks
	}
	if diff := cmp.Diff([]int{1, 1, 0}, started(s, 3)); diff != "" {
		t.Errorf("what starts beside an open ladder, by rank (-want +got):\n%s", diff)
	}
	for _, r := range s.Ladders[1].Rungs {
		for _, f := range r.Trials {
			finish(&s, f.Trial.ID, done(4.8))
		}
	}
	if sweep.Conclude(s).Done {
		t.Error("the sweep is done before its reference")
	}
	if got := started(s, 9); len(got) != 4 { // both ladders share it
		t.Errorf("%d trials of a reference of 4 start", len(got))
	}
	finish(&s, first, trial.Outcome{State: trial.OutcomeInterrupted, Step: 3})
	if d := sweep.Decide(s, nil, sweep.Capacity{Jobs: 1}); len(d.Start) != 1 || d.Start[0].Trial != first || d.Start[0].Number != 2 ||
		len(d.Start[0].Checkpoints) != 1 {
		t.Errorf("after an interruption starts %+v, want the second attempt of %s from its checkpoint", d.Start, first)
	}
	finish(&s, first, trial.Outcome{State: trial.OutcomeOverMemory})
	if d := sweep.Decide(s, nil, sweep.Capacity{Jobs: 9}); !d.Done || !sweep.Conclude(s).Done {
		t.Errorf("though one does not fit there starts %+v", d.Start)
	}
	s = climbed()
	s.Sweep.Limits.Time, s.Sweep.Elapsed = 1, 1
	if d := sweep.Decide(s, nil, sweep.Capacity{Jobs: 9}); len(d.Start) > 0 || !d.Done {
		t.Errorf("beyond limits.time there starts %+v", d.Start)
	}
}

func TestReferenceChoice(t *testing.T) {
	t.Parallel()
	s := registered(t, []float64{16}, []int{1}, 0, 1)
	refer(&s)
	ids := make([]trial.ID, 4)
	for i, f := range s.Ladders[0].Reference {
		ids[i] = f.Trial.ID
	}
	finish(&s, ids[0], done(4.1))
	finish(&s, ids[2], done(4.3))
	if c, ok := s.Ladders[0].ReferenceChoice(); ok {
		t.Errorf("candidate %d of which one seed of two is done", c)
	}
	finish(&s, ids[3], done(4.3))
	if c, ok := s.Ladders[0].ReferenceChoice(); c != 1 || !ok {
		t.Errorf("candidate %d, %v; want 1, the one that is whole", c, ok)
	}
	finish(&s, ids[1], done(4.2))
	if c, ok := s.Ladders[0].ReferenceChoice(); c != 0 || !ok {
		t.Errorf("candidate %d, %v; want 0, the best mean", c, ok)
	}
}

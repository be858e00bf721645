package sweep_test

import (
	"testing"

	"github.com/ranksweep/ranksweep/sweep"
)

// TestNeededOf: of a finished sweep the adapters of the recommended rank and of the best mean stay, of one that goes on all do, and what
// one sweep needs stays whatever another says.
func TestNeededOf(t *testing.T) {
	t.Parallel()
	finished := registered(t, []float64{16}, []int{1, 2, 4, 8}, 0, 1, 2)
	for i, mean := range []float64{4.8, 4.6, 4.599, 4.598} {
		finishRung(&finished, 1<<i, loss(mean))
	}
	v := sweep.Conclude(finished)
	if best, use := v.Verdicts[0].BestRank, v.Verdicts[0].RecommendedRank; !v.Done || best != 8 || use != 2 {
		t.Fatalf("the fixture recommends rank %d, with the best mean at %d, done: %t", use, best, v.Done)
	}
	open := registered(t, []float64{16}, []int{1, 2}, 0, 1, 2)
	finishRung(&open, 1, loss(4.8))
	extended, unread := finished, sweep.Snapshot{Sweep: finished.Sweep}
	extended.Sweep.Asked.Grid = 1
	for name, test := range map[string]struct {
		sweeps []sweep.Snapshot
		ranks  map[int]bool // whose adapters stay
		corpus bool
		unread bool // any other corpus may be needed, too
	}{
		"finished":                       {[]sweep.Snapshot{finished}, map[int]bool{2: true, 8: true}, false, false},
		"shared with another":            {[]sweep.Snapshot{finished, open}, map[int]bool{1: true, 2: true, 8: true}, true, false},
		"the other way":                  {[]sweep.Snapshot{open, finished}, map[int]bool{1: true, 2: true, 8: true}, true, false},
		"to be extended":                 {[]sweep.Snapshot{extended}, map[int]bool{1: true, 2: true, 4: true, 8: true}, true, true},
		"beside one that has just begun": {[]sweep.Snapshot{finished, unread}, map[int]bool{2: true, 8: true}, false, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			needed := sweep.NeededOf(test.sweeps)
			if needed.Unread != test.unread {
				t.Errorf("some corpus is not known yet: %t, want %t", needed.Unread, test.unread)
			}
			for _, r := range finished.Ladders[0].Rungs {
				for _, f := range r.Trials {
					if got := needed.Adapters[f.Trial.ID]; got != test.ranks[r.Rank] {
						t.Errorf("the adapter of rank %d, seed %d is needed: %t, want %t", r.Rank, f.Trial.Seed, got, test.ranks[r.Rank])
					}
					if needed.Checkpoints[f.Trial.ID] != (f.State() != sweep.TrialDone) && len(test.sweeps) == 1 {
						t.Errorf("the checkpoints of rank %d, which is %s, are needed: %t", r.Rank, f.State(), needed.Checkpoints[f.Trial.ID])
					}
				}
			}
			if needed.Corpora[finished.Ladders[0].Corpus.Fingerprint] != test.corpus {
				t.Errorf("the data are needed: %t, want %t", needed.Corpora[finished.Ladders[0].Corpus.Fingerprint], test.corpus)
			}
		})
	}
}

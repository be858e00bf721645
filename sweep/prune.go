package sweep

import "github.com/ranksweep/ranksweep/sweep/trial"

// Needed is what of a root's files its sweeps still need. The rest can be made again, or nobody recommends it.
type Needed struct {
	Adapters    map[trial.ID]bool // the trained adapters
	Checkpoints map[trial.ID]bool // of trials that may go on
	Corpora     map[string]bool   // fingerprints of tokenised data
	Unread      bool              // some sweep has not read its inputs yet, or those of an edited grid: any corpus may be its
}

// NeededOf says what sweeps need. An unfinished one needs all it has. Of a finished one the ranks that a ladder recommends stay, and those
// with the best mean; so do scouts, screened trials and references, which no other trial stands for.
func NeededOf(sweeps []Snapshot) Needed {
	n := Needed{Adapters: map[trial.ID]bool{}, Checkpoints: map[trial.ID]bool{}, Corpora: map[string]bool{}}
	for _, s := range sweeps {
		c := Conclude(s)
		open := !c.Done || len(s.Ladders) == 0 || s.Sweep.Asked.Grid != 0
		n.Unread = n.Unread || len(s.Ladders) == 0 || s.Sweep.Asked.Grid != 0
		for i, l := range s.Ladders {
			v := c.Verdicts[i]
			n.Corpora[l.Corpus.Fingerprint] = n.Corpora[l.Corpus.Fingerprint] || open
			l.Each(func(_ int, t *TrialFacts) {
				id, rank := t.Trial.ID, t.Trial.Rank
				best := v.RecommendedRank == 0 || rank == v.RecommendedRank || rank == v.BestRank
				beside := t.Trial.Spec().Shrink != nil || t.Trial.Spec().LoRA.Full || len(t.Screened) > 0
				n.Adapters[id] = n.Adapters[id] || open || best || beside
				n.Checkpoints[id] = n.Checkpoints[id] || t.State() != TrialDone
			})
		}
	}
	return n
}

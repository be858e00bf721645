package sweep_test

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/plateau"
	"github.com/ranksweep/ranksweep/sweep/report/prose"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

// TestCountTokens: each trial that the sweep launched counts once, whatever other sweeps trained is free, and without a limit nobody
// counts.
func TestCountTokens(t *testing.T) {
	t.Parallel()
	s := registered(t, []float64{16, 32, 16}, []int{1, 2}, 0, 1) // the third ladder shares the first's trials
	s.Sweep.Name = "mine"
	train := func(id trial.ID, by string, tokens int64) {
		edit(&s, id, func(f *sweep.TrialFacts) {
			f.Tokens = tokens
			f.Attempts = append(f.Attempts, sweep.AttemptFacts{ID: trial.NewAttemptID(id, 1), Number: 1, Sweep: by})
		})
	}
	train(s.Ladders[0].Rungs[0].Trials[0].Trial.ID, "mine", 100)
	train(s.Ladders[0].Rungs[0].Trials[1].Trial.ID, "another", 20)
	train(s.Ladders[1].Rungs[1].Trials[1].Trial.ID, "mine", 3)
	for limit, want := range map[int64]int64{0: 0, 1: 103, 1 << 40: 103} {
		s.Sweep.Limits.Tokens = limit
		if s.CountTokens(); s.Sweep.Tokens != want {
			t.Errorf("with a limit of %d: %d tokens, want %d", limit, s.Sweep.Tokens, want)
		}
	}
}

// TestTokensAreNotOverspent: whatever the facts and their order, nothing starts once limits.tokens is spent, so that no more than what ran
// then goes beyond it, and every ladder has a verdict.
func TestTokensAreNotOverspent(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		w := drawWorld(t, rt)
		w.tokens = 10
		w.snapshot.Sweep.Name = "mine"
		limit := rapid.Int64Range(1, 200).Draw(rt, "limits.tokens")
		w.snapshot.Sweep.Limits.Tokens = limit
		s := w.work(rt, "order")
		if most := limit + 9*w.tokens; s.Sweep.Tokens >= most { // work has 9 jobs at most
			rt.Fatalf("%d tokens were trained on, the limit being %d", s.Sweep.Tokens, limit)
		}
		for i, v := range sweep.Conclude(s).Verdicts {
			if v.State == plateau.StateRunning || v.Reason.Code == plateau.ReasonTokens && s.Sweep.Tokens < limit {
				rt.Fatalf("ladder %d ends as %s (%s) with %d of %d tokens", i, v.State, prose.Reason(v), s.Sweep.Tokens, limit)
			}
		}
	})
}

package report

import (
	"strings"
	"testing"

	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/plateau"
)

// TestNoRecommendationSaysWhy: where a higher rank is complete, as after a retry of the lowest, the summary does not deny it.
func TestNoRecommendationSaysWhy(t *testing.T) {
	t.Parallel()
	done, open := Trial{State: sweep.TrialDone}, Trial{Seed: 1, State: sweep.TrialInterrupted}
	for want, rungs := range map[string][]Rung{
		"rank 1, the lowest, has not finished": {{Rank: 1, Trials: []Trial{done, open}}, {Rank: 2, Trials: []Trial{done, done}}},
		"no rank has finished":                 {{Rank: 1, Trials: []Trial{done, open}}, {Rank: 2, Trials: []Trial{open}}},
	} {
		got := recommend(Report{Ladders: []Ladder{{Rungs: rungs, Verdict: Verdict{State: plateau.StateRunning}}}})
		if got.Rank != nil || !strings.Contains(got.Summary, want) {
			t.Errorf("recommend = %v, %q; want none: %q", got.Rank, got.Summary, want)
		}
	}
}

package sweeptest

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

// exerciseRefresh follows a sweep that shares the trials of one of its ladders with another one, whose coordinator writes too.
func exerciseRefresh(t *testing.T, s Store) {
	t.Helper()
	id, other := create(t, s, "own"), create(t, s, "other")
	known := snapshot(t, s, id)
	step := func(what string, want []int, anew ...int) {
		t.Helper()
		next, err := s.Refresh(t.Context(), known, anew...)
		must(t, "Refresh", err)
		if diff := cmp.Diff(snapshot(t, s, id), next, sameFacts()); diff != "" {
			t.Errorf("%s (-read anew +refreshed):\n%s", what, diff)
		}
		for i, l := range next.Ladders {
			if l.Unchanged(known.Ladders[i]) == slices.Contains(want, i) {
				t.Errorf("%s: ladder %d changed: %v", what, i, !slices.Contains(want, i))
			}
		}
		known = next
	}
	step("nothing happened", nil)
	first, second := Trial(16, 1, 0), Trial(32, 2, 1)
	attempt := trial.NewAttemptID(first.ID, 1)
	begun := trial.Assignment{Attempt: attempt, Sweep: "own", Trial: first}
	must(t, "BeginAttempt", s.BeginAttempt(t.Context(), first.ID, 1, begun, moment(1)))
	step("an attempt begun", []int{0})
	loss := 4.5
	events := []trial.Event{
		{Seq: 1, At: moment(2), Kind: trial.EventEval, Step: 2, Evaluation: &trial.Evaluation{ValLoss: loss, Tokens: 1}},
		{Seq: 2, At: moment(3), Kind: trial.EventEnded, Step: 4, Outcome: &trial.Outcome{State: trial.OutcomeDone, Step: 4, ValLoss: &loss}},
	}
	must(t, "AppendEvents", s.AppendEvents(t.Context(), attempt, events[:1]))
	step("an evaluation", []int{0})
	must(t, "AppendEvents", s.AppendEvents(t.Context(), attempt, events))
	step("its end", []int{0})
	if got := known.Ladders[0].Rungs[0].Trials[1].State(); got != sweep.TrialDone {
		t.Errorf("the trial is %s", got)
	}
	attempt = trial.NewAttemptID(second.ID, 1)
	begun = trial.Assignment{Attempt: attempt, Sweep: "other", Trial: second}
	must(t, "BeginAttempt", s.BeginAttempt(t.Context(), second.ID, 1, begun, moment(4)))
	must(t, "AppendEvents", s.AppendEvents(t.Context(), attempt, events))
	step("a trial of another sweep", []int{1})
	extra := sweep.ExtraTrial{Rank: 2, PlannedTrial: sweep.PlannedTrial{Trial: Trial(16, 2, 7).Brief()}}
	must(t, "AddTrials", s.AddTrials(t.Context(), known.Ladders[0].ID, []sweep.ExtraTrial{extra}))
	step("an extra seed", []int{0}, 0)
	unheard := Trial(16, 2, 8)
	extra = sweep.ExtraTrial{Rank: 2, PlannedTrial: sweep.PlannedTrial{Trial: unheard.Brief()}}
	must(t, "AddTrials", s.AddTrials(t.Context(), known.Ladders[0].ID, []sweep.ExtraTrial{extra}))
	begun = trial.Assignment{Attempt: trial.NewAttemptID(unheard.ID, 1), Sweep: "own", Trial: unheard}
	must(t, "BeginAttempt", s.BeginAttempt(t.Context(), unheard.ID, 1, begun, moment(5)))
	step("an extra seed that another coordinator added and began", []int{0})
	step("nothing more", nil)
	whole, err := s.Refresh(t.Context(), sweep.Snapshot{Sweep: sweep.Info{ID: other}})
	must(t, "Refresh of nothing", err)
	if diff := cmp.Diff(snapshot(t, s, other), whole); diff != "" {
		t.Errorf("refreshed from nothing (-want +got):\n%s", diff)
	}
}

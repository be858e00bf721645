package sweeptest

import (
	"errors"
	"slices"
	"testing"

	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

// exerciseAsked follows what a person asks of a sweep: the newer of pause and resume counts, and a cancellation is of one session.
func exerciseAsked(t *testing.T, s Store) {
	t.Helper()
	ctx := t.Context()
	id, other := create(t, s, "own"), create(t, s, "other")
	known := snapshot(t, s, id)
	want := func(what string, want sweep.Asked) sweep.Snapshot {
		t.Helper()
		next, err := s.Refresh(ctx, known)
		must(t, "Refresh", err)
		got, err := s.Asked(ctx, id)
		must(t, "Asked", err)
		//nolint:contextcheck // snapshot has that of t
		if read := snapshot(t, s, id).Sweep.Asked; got != read || got != next.Sweep.Asked || got.Last <= known.Sweep.Asked.Last {
			t.Errorf("%s: asked %+v, read %+v, refreshed %+v, before %+v", what, got, read, next.Sweep.Asked, known.Sweep.Asked)
		}
		known = next
		if got.Last = 0; got != want {
			t.Errorf("%s: asked %+v, want %+v", what, got, want)
		}
		return known
	}
	if err := s.Ask(ctx, id, sweep.RequestCancel, moment(1)); !errors.Is(err, sweep.ErrNotFound) {
		t.Errorf("cancel without a session = %v, want ErrNotFound", err)
	}
	must(t, "Ask", s.Ask(ctx, id, sweep.RequestPause, moment(3)))
	want("pause", sweep.Asked{Paused: true})
	must(t, "Ask", s.Ask(ctx, id, sweep.RequestResume, moment(2))) // the clock stepped back
	want("resume", sweep.Asked{})
	session, err := s.StartSession(ctx, id, instant(4), sweep.Coordinator{Host: "here", PID: 42})
	must(t, "StartSession", err)
	must(t, "Ask", s.Ask(ctx, id, sweep.RequestCancel, moment(5)))
	want("cancel", sweep.Asked{Cancelled: true})
	must(t, "Heartbeat of a cancelled session", s.Heartbeat(ctx, session, instant(6), ""))
	if snapshot(t, s, other).Sweep.Asked != (sweep.Asked{}) {
		t.Error("the other sweep was asked too")
	}
	exerciseRetried(t, s, id, other, func() sweep.Snapshot { return want("retry", sweep.Asked{Cancelled: true}) })
}

// exerciseRetried follows requests to retry a trial of a sweep: they are of the attempts up to then, and leave the other sweep alone. asked
// sees that one has been heard, and refreshes the sweep's facts.
func exerciseRetried(t *testing.T, s Store, id, other int64, asked func() sweep.Snapshot) {
	t.Helper()
	ctx, tr := t.Context(), Trial(16, 1, 0)
	if err := s.Retry(ctx, id, []trial.AttemptID{trial.NewAttemptID(tr.ID, 1)}, moment(7)); !errors.Is(err, sweep.ErrNotFound) {
		t.Errorf("retry of a trial that was never begun = %v, want ErrNotFound", err)
	}
	lose(t, s, tr, 1, "own", trial.OutcomeUnstable)
	lose(t, s, tr, 2, "own", trial.OutcomeFailed)
	retry := func(number int) {
		t.Helper()
		must(t, "Retry", s.Retry(ctx, id, []trial.AttemptID{trial.NewAttemptID(tr.ID, number)}, moment(8)))
	}
	retry(2)
	refreshed := asked()
	facts := func(id int64) *sweep.TrialFacts { return &snapshot(t, s, id).Ladders[0].Rungs[0].Trials[1] }
	if got := facts(id).State(); got != sweep.TrialInterrupted {
		t.Errorf("retried: %s", got)
	}
	if got := refreshed.Ladders[0].Rungs[0].Trials[1].State(); got != sweep.TrialInterrupted {
		t.Errorf("retried, refreshed: %s", got)
	}
	if got := facts(other).State(); got != sweep.TrialUnstable { // failed elsewhere is a fresh chance anyway
		t.Errorf("in the other sweep: %s", got)
	}
	lose(t, s, tr, 3, "own", trial.OutcomeFailed)
	if got := facts(id).State(); got != sweep.TrialFailed {
		t.Errorf("lost after the retry: %s", got)
	}
	end := func(number int, state trial.OutcomeState, want ...sweep.TrialState) {
		t.Helper()
		lose(t, s, tr, number, "own", state)
		if got := []sweep.TrialState{facts(id).State(), facts(other).State()}; !slices.Equal(got, want) {
			t.Errorf("attempt %d is %s: the trial is %v in both sweeps, want %v", number, state, got, want)
		}
	}
	end(4, trial.OutcomeDone, sweep.TrialDone, sweep.TrialDone)
	retry(4) // what is done, too
	end(5, trial.OutcomeCrashed, sweep.TrialCrashed, sweep.TrialDone)
	end(6, trial.OutcomeFailed, sweep.TrialDone, sweep.TrialDone)
	retry(6)
	end(7, trial.OutcomeInterrupted, sweep.TrialInterrupted, sweep.TrialDone)
	end(8, trial.OutcomeDone, sweep.TrialDone, sweep.TrialDone)
	if final := facts(id).Final(); final == nil || *final.ValLoss != 8 {
		t.Errorf("the result is %+v, want that of attempt 8", final)
	}
}

// lose makes an attempt of a sweep that ends so at once; done, with its number as its loss.
func lose(t *testing.T, s Store, tr trial.Trial, number int, by string, state trial.OutcomeState) {
	t.Helper()
	a := trial.Assignment{Attempt: trial.NewAttemptID(tr.ID, number), Sweep: by, Trial: tr}
	must(t, "BeginAttempt", s.BeginAttempt(t.Context(), tr.ID, number, a, moment(10*number)))
	o := &trial.Outcome{State: state, Error: "it went wrong"}
	if state == trial.OutcomeDone {
		o.ValLoss, o.Error = new(float64(number)), ""
	}
	must(t, "AppendEvents", s.AppendEvents(t.Context(), a.Attempt, []trial.Event{
		{Seq: 1, At: moment(10*number + 1), Kind: trial.EventEnded, Outcome: o},
	}))
}

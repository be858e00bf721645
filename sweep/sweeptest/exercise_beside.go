package sweeptest

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

// What a store keeps beside the losses of a ladder's ranks: screened losses, scouts and references.

// exerciseScreened stores a sweep's strategy, whether its cells race, and what an adapter loses at lower ranks: a newer attempt's loss
// counts, and an attempt that came to a bad end after the trial was done takes nothing back.
func exerciseScreened(t *testing.T, s Store) {
	t.Helper()
	ctx, info, tr := t.Context(), Info("screened", 1, 0), Trial(16, 2, 1)
	info.Strategy, info.Race = sweep.StrategyScreen, true
	id, err := s.CreateSweep(ctx, info)
	must(t, "CreateSweep", err)
	must(t, "Register", s.Register(ctx, id, Registration([]float64{16}, []int{1, 2}, []int64{1, 0})))
	screened := func(rank int, loss float64) trial.Event {
		return trial.Event{Kind: trial.EventScreened, Screened: &trial.Screened{Rank: rank, ValLoss: loss, Tokens: 630, Seconds: 0.5}}
	}
	ended := func(o trial.Outcome) trial.Event { return trial.Event{Kind: trial.EventEnded, Outcome: &o} }
	for i, events := range [][]trial.Event{
		{screened(2, 4.75), screened(1, 5), ended(trial.Outcome{State: trial.OutcomeDone, ValLoss: new(4.5)})},
		{screened(1, 4.875), ended(trial.Outcome{State: trial.OutcomeOverMemory, Error: "killed"})},
	} {
		a := trial.Assignment{Attempt: trial.NewAttemptID(tr.ID, i+1), Sweep: info.Name, Trial: tr, Screen: []int{1, 2}}
		must(t, "BeginAttempt", s.BeginAttempt(ctx, tr.ID, i+1, a, moment(i)))
		for j := range events {
			events[j].Seq, events[j].At = int64(j+1), moment(10*i+j)
		}
		for range 2 { // the second changes nothing
			must(t, "AppendEvents", s.AppendEvents(ctx, a.Attempt, events))
		}
	}
	got := snapshot(t, s, id)
	other := snapshot(t, s, create(t, s, "other")).Sweep
	if got.Sweep.Strategy != sweep.StrategyScreen || other.Strategy != sweep.StrategyLadder {
		t.Errorf("strategy %q", got.Sweep.Strategy)
	}
	if !got.Sweep.Race || other.Race {
		t.Errorf("race %v, of another sweep %v", got.Sweep.Race, other.Race)
	}
	f := got.Ladders[0].Rungs[1].Trials[0]
	want := []trial.Screened{{Rank: 1, ValLoss: 4.875, Tokens: 630, Seconds: 0.5}, {Rank: 2, ValLoss: 4.75, Tokens: 630, Seconds: 0.5}}
	if diff := cmp.Diff(want, f.Screened); diff != "" {
		t.Errorf("screened (-want +got):\n%s", diff)
	}
	if o := f.Final(); o == nil || o.State != trial.OutcomeDone || len(f.Attempts) != 2 {
		t.Errorf("final outcome %+v of %d attempts", o, len(f.Attempts))
	}
	must(t, "RecordVerdict", s.RecordVerdict(ctx, got.Ladders[0].ID, sweep.Conclude(got).Verdicts[0], moment(99)))
}

// exerciseScouts adds the scout that a decision asks for: it is kept beside the rungs, with what it shows, and the same again changes
// nothing.
func exerciseScouts(t *testing.T, s Store) {
	t.Helper()
	ctx, info := t.Context(), Info("scouted", 1, 0)
	info.Strategy = sweep.StrategyScout
	id, err := s.CreateSweep(ctx, info)
	must(t, "CreateSweep", err)
	must(t, "Register", s.Register(ctx, id, Registration([]float64{16}, []int{1, 2}, []int64{1, 0})))
	before := snapshot(t, s, id)
	drawn := sweep.Decide(before, nil, sweep.Capacity{Jobs: 1}).Register
	if len(drawn) != 1 || len(drawn[0].Trials) != 1 {
		t.Fatalf("a ladder to scout registers %+v", drawn)
	}
	tr := drawn[0].Trials[0].Trial
	for range 2 {
		must(t, "AddTrials", s.AddTrials(ctx, before.Ladders[0].ID, drawn[0].Trials))
	}
	a := trial.Assignment{Attempt: trial.NewAttemptID(tr.ID, 1), Sweep: info.Name, Trial: tr.Trial()}
	must(t, "BeginAttempt", s.BeginAttempt(ctx, tr.ID, 1, a, moment(0)))
	shown := trial.Screened{Rank: 1, ValLoss: 4.75, Tokens: 630, Seconds: 0.5}
	must(t, "AppendEvents", s.AppendEvents(ctx, a.Attempt, []trial.Event{
		{Seq: 1, At: moment(1), Kind: trial.EventScreened, Screened: &shown},
		{Seq: 2, At: moment(2), Kind: trial.EventEnded, Outcome: &trial.Outcome{State: trial.OutcomeDone, ValLoss: new(4.5)}},
	}))
	got := snapshot(t, s, id)
	if diff := cmp.Diff(before.Ladders[0].Rungs, got.Ladders[0].Rungs); diff != "" {
		t.Errorf("rungs beside a scout (-before +after):\n%s", diff)
	}
	scouts := got.Ladders[0].Scouts
	if len(scouts) != 1 || len(scouts[0].Attempts) != 1 || scouts[0].Final() == nil {
		t.Fatalf("scouts %+v", scouts)
	}
	if diff := cmp.Diff(tr, scouts[0].Trial); diff != "" {
		t.Errorf("scout (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]trial.Screened{shown}, scouts[0].Screened); diff != "" {
		t.Errorf("what it shows (-want +got):\n%s", diff)
	}
	must(t, "Register again", s.Register(ctx, id, Registration([]float64{16}, []int{1, 2}, []int64{1, 0})))
	must(t, "RecordVerdict", s.RecordVerdict(ctx, got.Ladders[0].ID, sweep.Conclude(got).Verdicts[0], moment(99)))
}

// exerciseReference registers full fine-tuning beside two ladders that share it: it is kept beside the rungs, with its facts, and another
// one is refused.
func exerciseReference(t *testing.T, s Store) {
	t.Helper()
	ctx := t.Context()
	id, err := s.CreateSweep(ctx, Info("referred", 1, 0))
	must(t, "CreateSweep", err)
	r := Registration([]float64{16, 32}, []int{1, 2}, []int64{1, 0})
	reference := Reference([]float64{1e-4, 1e-5}, []int64{1, 0})
	for i := range r.Ladders {
		r.Ladders[i].Reference = reference
	}
	for range 2 {
		must(t, "Register", s.Register(ctx, id, r))
	}
	tr := reference[3].Trial
	a := trial.Assignment{Attempt: trial.NewAttemptID(tr.ID, 1), Sweep: "referred", Trial: tr.Trial()}
	must(t, "BeginAttempt", s.BeginAttempt(ctx, tr.ID, 1, a, moment(0)))
	must(t, "AppendEvents", s.AppendEvents(ctx, a.Attempt, []trial.Event{
		{Seq: 1, At: moment(2), Kind: trial.EventEnded, Outcome: &trial.Outcome{State: trial.OutcomeDone, ValLoss: new(4.5)}},
	}))
	for i, l := range snapshot(t, s, id).Ladders {
		if len(l.Rungs) != 2 || len(l.Rungs[0].Trials) != 2 {
			t.Errorf("ladder %d: rungs beside a reference: %+v", i, l.Rungs)
		}
		var got []sweep.PlannedTrial
		for _, f := range l.Reference {
			got = append(got, sweep.PlannedTrial{Candidate: f.Candidate, Trial: f.Trial})
		}
		if diff := cmp.Diff(reference, got); diff != "" {
			t.Errorf("ladder %d: reference (-want +got):\n%s", i, diff)
		}
		if n := len(l.Reference); n != 4 || l.Reference[3].State() != sweep.TrialDone || l.Reference[0].State() != sweep.TrialPending {
			t.Errorf("ladder %d: facts of %d trials: %+v", i, n, l.Reference)
		}
	}
	r.Ladders[1].Reference = reference[:2]
	if err := s.Register(ctx, id, r); err == nil {
		t.Error("registered with another reference")
	}
}

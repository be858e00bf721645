package sweeptest

import (
	"errors"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/plateau"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

// ExerciseStore runs what every store must do against fresh stores that open returns.
func ExerciseStore(t *testing.T, open func(t *testing.T) Store) {
	t.Helper()
	t.Run("Registration", func(t *testing.T) { t.Parallel(); exerciseRegistration(t, open(t)) })
	t.Run("Attempts", func(t *testing.T) { t.Parallel(); exerciseAttempts(t, open(t)) })
	t.Run("Retain", func(t *testing.T) { t.Parallel(); exerciseRetain(t, open(t)) })
	t.Run("Screened", func(t *testing.T) { t.Parallel(); exerciseScreened(t, open(t)) })
	t.Run("Scouts", func(t *testing.T) { t.Parallel(); exerciseScouts(t, open(t)) })
	t.Run("Reference", func(t *testing.T) { t.Parallel(); exerciseReference(t, open(t)) })
	t.Run("InvalidEvents", func(t *testing.T) { t.Parallel(); exerciseInvalidEvents(t, open(t)) })
	t.Run("NotFound", func(t *testing.T) { t.Parallel(); exerciseNotFound(t, open(t)) })
	t.Run("Sessions", func(t *testing.T) { t.Parallel(); exerciseSessions(t, open(t)) })
	t.Run("Candidates", func(t *testing.T) { t.Parallel(); exerciseCandidates(t, open(t)) })
	t.Run("ExtraSeeds", func(t *testing.T) { t.Parallel(); exerciseExtraSeeds(t, open(t)) })
	t.Run("Wishes", func(t *testing.T) { t.Parallel(); exerciseWishes(t, open(t)) })
	t.Run("Asked", func(t *testing.T) { t.Parallel(); exerciseAsked(t, open(t)) })
	t.Run("Refresh", func(t *testing.T) { t.Parallel(); exerciseRefresh(t, open(t)) })
	t.Run("EqualsMemStore", func(t *testing.T) { t.Parallel(); exerciseEquality(t, open(t)) })
}

// sameFacts ignores what two stores may number differently.
func sameFacts() cmp.Options {
	return cmp.Options{
		cmpopts.EquateEmpty(), cmpopts.IgnoreFields(sweep.Ladder{}, "ID"), cmpopts.IgnoreFields(sweep.Info{}, "ID"),
		cmpopts.IgnoreFields(sweep.Snapshot{}, "Seen"),
	}
}

func moment(n int) time.Time {
	return time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC).Add(time.Duration(n) * time.Second)
}

// instant is moment(n) on a clock that runs evenly.
func instant(n int) sweep.Instant {
	return sweep.Instant{Wall: moment(n), Uptime: time.Duration(n) * time.Second}
}

// must fails the test on an error of an act that has to succeed.
func must(t *testing.T, what string, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
}

func snapshot(t *testing.T, s Store, id int64) sweep.Snapshot {
	t.Helper()
	got, err := s.Snapshot(t.Context(), id)
	must(t, "Snapshot", err)
	return got
}

// create makes a registered sweep of two ladders, ranks 1 and 2, seeds 1 and 0 in that order.
func create(t *testing.T, s Store, name string) int64 {
	t.Helper()
	id, err := s.CreateSweep(t.Context(), Info(name, 1, 0))
	must(t, "CreateSweep", err)
	must(t, "Register", s.Register(t.Context(), id, Registration([]float64{16, 32}, []int{1, 2}, []int64{1, 0})))
	return id
}

func exerciseRegistration(t *testing.T, s Store) {
	t.Helper()
	ctx, info := t.Context(), Info("first", 1, 0)
	info.Limits = sweep.Limits{Memory: 8 << 30, Time: 2 * time.Hour, TrialTime: 20 * time.Minute, Tokens: 1 << 40, Disk: 1 << 41}
	id, err := s.CreateSweep(ctx, info)
	must(t, "CreateSweep", err)
	if diff := cmp.Diff(sweep.Snapshot{Sweep: info}, snapshot(t, s, id), sameFacts()); diff != "" {
		t.Errorf("before registration (-want +got):\n%s", diff)
	}
	r := Registration([]float64{16, 32}, []int{1, 2}, []int64{1, 0})
	r.Warnings, r.NoiseSD, r.NoiseSource = []string{"mind the gap"}, 0.0125, "sweep before"
	for _, plugin := range []string{r.PluginPath, r.PluginPath, "/elsewhere/plugin.so"} { // the second changes nothing
		r.PluginPath = plugin
		must(t, "Register", s.Register(ctx, id, r))
		got := snapshot(t, s, id)
		if got.Sweep.Backend != r.Backend || got.Sweep.Platform != r.Platform || got.Sweep.PluginPath != r.PluginPath {
			t.Errorf("backend = %q, %q, %q", got.Sweep.Backend, got.Sweep.Platform, got.Sweep.PluginPath)
		}
		if rule := got.Sweep.Rule; rule.NoiseSD != r.NoiseSD || rule.NoiseSource != r.NoiseSource || rule.MinGain != info.Rule.MinGain {
			t.Errorf("rule = %+v", rule)
		}
		if diff := cmp.Diff(r.Ladders, plans(got)); diff != "" {
			t.Errorf("ladders (-registered +snapshot):\n%s", diff)
		}
	}
	before := snapshot(t, s, id)
	if err := s.Register(ctx, id, Registration([]float64{16, 32}, []int{1, 4}, []int64{1, 0})); err == nil {
		t.Error("a registration with other trials was taken")
	}
	if diff := cmp.Diff(before, snapshot(t, s, id)); diff != "" {
		t.Errorf("a refused registration changed facts:\n%s", diff)
	}
}

// plans turns a snapshot's ladders back into what was registered.
func plans(s sweep.Snapshot) []sweep.LadderPlan {
	var out []sweep.LadderPlan
	for _, l := range s.Ladders {
		plan := sweep.LadderPlan{Cell: l.Cell, Model: l.Model, Corpus: l.Corpus, Candidates: l.Candidates}
		for _, r := range l.Rungs {
			rung := sweep.RungPlan{Rank: r.Rank}
			for _, f := range r.Trials {
				rung.Trials = append(rung.Trials, sweep.PlannedTrial{Candidate: f.Candidate, Trial: f.Trial})
			}
			plan.Rungs = append(plan.Rungs, rung)
		}
		out = append(out, plan)
	}
	return out
}

// exerciseAttempts follows a trial that crashes after a checkpoint and is finished by a second attempt, in two sweeps that
// share it.
func exerciseAttempts(t *testing.T, s Store) {
	t.Helper()
	ctx := t.Context()
	first, second := create(t, s, "first"), create(t, s, "second")
	tr := Trial(16, 1, 1)
	lines := Trainer{StepTime: time.Second, Loss: func(trial.Trial) float64 { return 4.5 }}
	run := func(number, from, n int) {
		a := trial.Assignment{Attempt: trial.NewAttemptID(tr.ID, number), Sweep: "first", Trial: tr, MicroBatch: 4 * (number - 1)}
		for range 2 { // the same again changes nothing
			must(t, "BeginAttempt", s.BeginAttempt(ctx, tr.ID, number, a, moment(number)))
			events := numbered(lines.Script(a, from))
			if n > 0 {
				events = append(events[:n:n], trial.Event{
					Seq: int64(n + 1), At: moment(500), Kind: trial.EventEnded, Step: 3,
					Outcome: &trial.Outcome{State: trial.OutcomeCrashed, Error: "signal: killed", Step: 3},
				})
			}
			must(t, "AppendEvents", s.AppendEvents(ctx, a.Attempt, events[:3]))
			must(t, "AppendEvents", s.AppendEvents(ctx, a.Attempt, events)) // overlaps
		}
	}
	run(1, -1, 11)
	run(2, 2, 0)
	// A crash counts in the sweep that had it; the other one only sees that the trial went on.
	for id, state := range map[int64]trial.OutcomeState{first: trial.OutcomeCrashed, second: trial.OutcomeInterrupted} {
		f := snapshot(t, s, id).Ladders[0].Rungs[0].Trials[0]
		if len(f.Attempts) != 2 || f.Attempts[0].Outcome == nil || f.Attempts[0].Outcome.State != state {
			t.Fatalf("attempts = %+v", f.Attempts)
		}
		if whole, half := f.Attempts[0].MicroBatch, f.Attempts[1].MicroBatch; whole != 0 || half != 4 {
			t.Errorf("micro-batches %d and %d, want 0 and 4", whole, half)
		}
		if o := f.Final(); o == nil || o.State != trial.OutcomeDone || o.ValLoss == nil || *o.ValLoss != 4.5 {
			t.Errorf("final outcome = %+v", o)
		}
		if f.Attempts[0].CheckpointStep != 2 || f.Attempts[0].LastSeq != 12 || !f.Attempts[0].LastAt.Equal(moment(500)) {
			t.Errorf("first attempt = %+v", f.Attempts[0])
		}
		want := []sweep.StepLoss{
			{Step: 0, ValLoss: 4.515625, Seconds: 0.5}, {Step: 2, ValLoss: 4.5078125, Seconds: 0.5}, {Step: 4, ValLoss: 4.5, Seconds: 0.5},
		}
		if diff := cmp.Diff(want, f.Evaluations); diff != "" {
			t.Errorf("evaluations (-want +got):\n%s", diff)
		}
		if f.LastStep != 4 || f.TrainableParams != 512 || f.Prediction == nil || f.Memory.PeakHostBytes == nil {
			t.Errorf("facts = %+v", f)
		}
	}
}

// exerciseRetain stores losses on data.retain, and token accuracies, where there are any.
func exerciseRetain(t *testing.T, s Store) {
	t.Helper()
	ctx, id, tr := t.Context(), create(t, s, "first"), Trial(16, 1, 1)
	attempt := trial.NewAttemptID(tr.ID, 1)
	must(t, "BeginAttempt", s.BeginAttempt(ctx, tr.ID, 1, trial.Assignment{Attempt: attempt, Trial: tr}, moment(1)))
	all := trial.Measures{RetainLoss: new(3.25), TokenAccuracy: new(0.25), ExactMatch: new(0.125)}
	o := trial.Outcome{State: trial.OutcomeDone, ValLoss: new(4.5), BestStep: 2, RetainLoss: new(3.25), BaseRetain: new(3.0)}
	events := []trial.Event{
		{Kind: trial.EventEval, Step: 0, Evaluation: &trial.Evaluation{ValLoss: 5, Measures: trial.Measures{RetainLoss: new(3.0)}}},
		{Kind: trial.EventEval, Step: 2, Evaluation: &trial.Evaluation{ValLoss: 4.5, Measures: all}},
		{Kind: trial.EventEval, Step: 4, Evaluation: &trial.Evaluation{ValLoss: 4.75}},
		{Kind: trial.EventEnded, Outcome: &o},
	}
	for i := range events {
		events[i].Seq, events[i].At = int64(i+1), moment(2)
	}
	must(t, "AppendEvents", s.AppendEvents(ctx, attempt, events))
	f := snapshot(t, s, id).Ladders[0].Rungs[0].Trials[0]
	want := []sweep.StepLoss{
		{Step: 0, ValLoss: 5, Measures: trial.Measures{RetainLoss: new(3.0)}},
		{Step: 2, ValLoss: 4.5, Measures: all},
		{Step: 4, ValLoss: 4.75},
	}
	if diff := cmp.Diff(want, f.Evaluations); diff != "" {
		t.Errorf("evaluations (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(&o, f.Final()); diff != "" {
		t.Errorf("outcome (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(all, f.Best().Measures); diff != "" {
		t.Errorf("measures at the best step (-want +got):\n%s", diff)
	}
	if got := f.Final().Forgetting(); got == nil || *got != 0.25 {
		t.Errorf("forgetting = %v, want 0.25", got)
	}
}

// numbered fills in Seq and At.
func numbered(lines []Line) []trial.Event {
	events := make([]trial.Event, len(lines))
	for i, l := range lines {
		events[i] = l.Event
		events[i].Seq, events[i].At = int64(i+1), moment(100).Add(l.After)
	}
	return events
}

func exerciseInvalidEvents(t *testing.T, s Store) {
	t.Helper()
	ctx, id, tr := t.Context(), create(t, s, "first"), Trial(16, 1, 1)
	attempt := trial.NewAttemptID(tr.ID, 1)
	must(t, "BeginAttempt", s.BeginAttempt(ctx, tr.ID, 1, trial.Assignment{Attempt: attempt, Trial: tr}, moment(1)))
	must(t, "AppendEvents", s.AppendEvents(ctx, attempt, []trial.Event{{Seq: 1, At: moment(2), Kind: trial.EventCheckpoint}}))
	second := Trial(16, 1, 0)
	other := trial.NewAttemptID(second.ID, 1)
	must(t, "BeginAttempt", s.BeginAttempt(ctx, second.ID, 1, trial.Assignment{Attempt: other, Trial: second}, moment(1)))
	before := snapshot(t, s, id)
	ended := func(seq int64) trial.Event {
		return trial.Event{Seq: seq, At: moment(3), Kind: trial.EventEnded, Outcome: &trial.Outcome{State: trial.OutcomeFailed}}
	}
	for name, bad := range map[string]trial.Event{
		"seq 0":            {Seq: 0, At: moment(3), Kind: trial.EventCheckpoint},
		"unknown kind":     {Seq: 3, At: moment(3), Kind: "gossip"},
		"empty evaluation": {Seq: 3, At: moment(3), Kind: trial.EventEval},
		"NaN retained": {
			Seq: 3, At: moment(3), Kind: trial.EventEval,
			Evaluation: &trial.Evaluation{ValLoss: 1, Measures: trial.Measures{RetainLoss: new(math.NaN())}},
		},
		"no updates": {Seq: 3, At: moment(3), Kind: trial.EventUpdates},
		"NaN norm": {
			Seq: 3, At: moment(3), Kind: trial.EventUpdates,
			Updates: []trial.ModuleUpdate{{Module: "h.0", Norm: 1, StableRank: 1}, {Module: "h.1", Norm: math.NaN()}},
		},
		"nothing screened": {Seq: 3, At: moment(3), Kind: trial.EventScreened},
		"NaN screened":     {Seq: 3, At: moment(3), Kind: trial.EventScreened, Screened: &trial.Screened{Rank: 1, ValLoss: math.NaN()}},
		"NaN exact match": {
			Seq: 3, At: moment(3), Kind: trial.EventEval,
			Evaluation: &trial.Evaluation{ValLoss: 1, Measures: trial.Measures{ExactMatch: new(math.NaN())}},
		},
		"NaN accuracy": {
			Seq: 3, At: moment(3), Kind: trial.EventEval,
			Evaluation: &trial.Evaluation{ValLoss: 1, Measures: trial.Measures{TokenAccuracy: new(math.NaN())}},
		},
		"NaN":            {Seq: 3, At: moment(3), Kind: trial.EventEval, Evaluation: &trial.Evaluation{ValLoss: math.NaN()}},
		"second outcome": ended(4),
	} {
		good := trial.Event{Seq: 2, At: moment(3), Kind: trial.EventCheckpoint, Step: 9}
		if name == "second outcome" {
			good = ended(2)
		}
		if err := s.AppendEvents(ctx, attempt, []trial.Event{good, bad}); err == nil {
			t.Errorf("%s was stored", name)
		}
		if err := s.Append(ctx, sweep.News{Attempt: other, Events: []trial.Event{good}},
			sweep.News{Attempt: attempt, Events: []trial.Event{good, bad}}); err == nil {
			t.Errorf("%s was stored with another attempt's events", name)
		}
		if diff := cmp.Diff(before, snapshot(t, s, id)); diff != "" {
			t.Errorf("%s: a refused append left something:\n%s", name, diff)
		}
	}
}

func exerciseNotFound(t *testing.T, s Store) {
	t.Helper()
	ctx := t.Context()
	create(t, s, "first")
	_, err := s.Snapshot(ctx, 99)
	stranger := Trial(99, 1, 1)
	for what, err := range map[string]error{
		"Snapshot":     err,
		"Register":     s.Register(ctx, 99, Registration([]float64{16}, []int{1}, []int64{1, 0})),
		"BeginAttempt": s.BeginAttempt(ctx, stranger.ID, 1, trial.Assignment{}, moment(1)),
		"AppendEvents": s.AppendEvents(ctx, trial.NewAttemptID(stranger.ID, 1),
			[]trial.Event{{Seq: 1, At: moment(1), Kind: trial.EventCheckpoint}}),
		"RecordVerdict": s.RecordVerdict(ctx, 99, plateau.Verdict{State: plateau.StatePlateau}, moment(1)),
	} {
		if !errors.Is(err, sweep.ErrNotFound) {
			t.Errorf("%s of what is not there = %v, want ErrNotFound", what, err)
		}
	}
}

func exerciseSessions(t *testing.T, s Store) {
	t.Helper()
	ctx, id := t.Context(), create(t, s, "first")
	if err := s.Heartbeat(ctx, 99, instant(1), ""); !errors.Is(err, sweep.ErrLocked) {
		t.Errorf("Heartbeat without a session = %v, want ErrLocked", err)
	}
	session, err := s.StartSession(ctx, id, instant(0), sweep.Coordinator{Host: "here", PID: 42})
	must(t, "StartSession", err)
	for _, beat := range []int{5, 10, 7} { // a clock that steps back does not shorten the session
		must(t, "Heartbeat", s.Heartbeat(ctx, session, instant(beat), ""))
	}
	if got := snapshot(t, s, id).Sweep.Elapsed; got != 10*time.Second {
		t.Errorf("elapsed %v, want 10s", got)
	}
	v := plateau.Verdict{
		State: plateau.StateInconclusive, RecommendedRank: 1, MinGain: 0.1,
		Reason: plateau.Finding{Code: plateau.ReasonOneRank, Ranks: []int{1}},
	}
	for range 2 {
		must(t, "RecordVerdict", s.RecordVerdict(ctx, snapshot(t, s, id).Ladders[0].ID, v, moment(9)))
	}
}

// exerciseEquality does the same random acts, valid and not, to the store and to a MemStore: they must agree on what they
// refuse and on every fact.
func exerciseEquality(t *testing.T, s Store) {
	t.Helper()
	model := &MemStore{}
	ids := [2]int64{create(t, s, "first"), create(t, model, "first")}
	rng := rand.New(rand.NewPCG(1, 2))
	for range 150 {
		tr := Trial([]float64{16, 32}[rng.IntN(2)], 1+rng.IntN(2), int64(rng.IntN(2)))
		number := 1 + rng.IntN(2)
		attempt := trial.NewAttemptID(tr.ID, number)
		var events []trial.Event
		script := numbered(Trainer{StepTime: time.Second, Loss: func(trial.Trial) float64 { return 4.5 + float64(number) }}.
			Script(trial.Assignment{Trial: tr}, []int{-1, 2}[number-1]))
		from := rng.IntN(len(script))
		events = script[from:min(len(script), from+1+rng.IntN(6))]
		begin := rng.IntN(3) == 0
		act := func(s Store) error {
			if begin {
				return s.BeginAttempt(t.Context(), tr.ID, number, trial.Assignment{Attempt: attempt, Trial: tr}, moment(number))
			}
			return s.AppendEvents(t.Context(), attempt, events)
		}
		if got, want := act(s), act(model); (got == nil) != (want == nil) {
			t.Fatalf("attempt %s, events from %d: store says %v, MemStore %v", attempt, from+1, got, want)
		}
	}
	want, got := snapshot(t, model, ids[1]), snapshot(t, s, ids[0])
	if diff := cmp.Diff(want, got, sameFacts()); diff != "" {
		t.Errorf("snapshots (-MemStore +store):\n%s", diff)
	}
}

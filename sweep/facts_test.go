package sweep_test

import (
	"slices"
	"testing"

	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/sweeptest"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

// registered returns the facts of a sweep where nothing has run yet: one ladder per alpha.
func registered(t testing.TB, alphas []float64, ranks []int, seeds ...int64) sweep.Snapshot {
	t.Helper()
	return registeredTuned(t, nil, alphas, ranks, seeds...)
}

// registeredTuned is registered with a candidate per learning rate.
func registeredTuned(t testing.TB, rates, alphas []float64, ranks []int, seeds ...int64) sweep.Snapshot {
	t.Helper()
	var m sweeptest.MemStore
	id, err := m.CreateSweep(t.Context(), sweeptest.Info("test", seeds...))
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Register(t.Context(), id, sweeptest.TunedRegistration(rates, alphas, ranks, seeds)); err != nil {
		t.Fatal(err)
	}
	s, err := m.Snapshot(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// edit changes the facts of a trial in every ladder that holds it.
func edit(s *sweep.Snapshot, id trial.ID, change func(*sweep.TrialFacts)) {
	for l := range s.Ladders {
		if !holds(s.Ladders[l], id) {
			continue
		}
		own(&s.Ladders[l])
		for r := range s.Ladders[l].Rungs {
			for i := range s.Ladders[l].Rungs[r].Trials {
				if t := &s.Ladders[l].Rungs[r].Trials[i]; t.Trial.ID == id {
					change(t)
				}
			}
		}
		for i := range s.Ladders[l].Scouts {
			if t := &s.Ladders[l].Scouts[i]; t.Trial.ID == id {
				change(t)
			}
		}
		for i := range s.Ladders[l].Reference {
			if t := &s.Ladders[l].Reference[i]; t.Trial.ID == id {
				change(t)
			}
		}
	}
}

func holds(l sweep.Ladder, id trial.ID) bool {
	is := func(f sweep.TrialFacts) bool { return f.Trial.ID == id }
	return slices.ContainsFunc(l.Rungs, func(r sweep.Rung) bool { return slices.ContainsFunc(r.Trials, is) }) ||
		slices.ContainsFunc(l.Scouts, is) || slices.ContainsFunc(l.Reference, is)
}

// own gives a ladder facts that it shares with no other snapshot, which is not to see a change of them.
func own(l *sweep.Ladder) {
	clone := func(trials []sweep.TrialFacts) []sweep.TrialFacts {
		trials = slices.Clone(trials)
		for i := range trials {
			trials[i].Attempts = slices.Clone(trials[i].Attempts)
		}
		return trials
	}
	l.Rungs, l.Scouts, l.Reference = slices.Clone(l.Rungs), clone(l.Scouts), clone(l.Reference)
	for r := range l.Rungs {
		l.Rungs[r].Trials = clone(l.Rungs[r].Trials)
	}
}

// begin adds an attempt that has no outcome.
func begin(s *sweep.Snapshot, id trial.ID) trial.AttemptID {
	var attempt trial.AttemptID
	edit(s, id, func(t *sweep.TrialFacts) {
		n := len(t.Attempts) + 1
		attempt = trial.NewAttemptID(id, n)
		t.Attempts = append(t.Attempts, sweep.AttemptFacts{ID: attempt, Number: n, CheckpointStep: -1})
	})
	return attempt
}

// conclude gives the trial's last attempt an outcome.
func conclude(s *sweep.Snapshot, id trial.ID, o trial.Outcome) {
	edit(s, id, func(t *sweep.TrialFacts) { t.Attempts[len(t.Attempts)-1].Outcome = &o })
}

// finish runs a trial in one attempt.
func finish(s *sweep.Snapshot, id trial.ID, o trial.Outcome) {
	begin(s, id)
	conclude(s, id, o)
}

// done is the outcome of a trial with this loss, whose training loss is a tenth lower.
func done(loss float64) trial.Outcome {
	train := loss - 0.1
	return trial.Outcome{
		State: trial.OutcomeDone, Step: sweeptest.Steps, ValLoss: &loss, BestStep: sweeptest.Steps, LastValLoss: &loss,
		TrainLoss: &train, TrainSeconds: 1,
	}
}

// finishRung gives every trial of a rung of the first ladder the outcome that of returns.
func finishRung(s *sweep.Snapshot, rank int, of func(seed int64) trial.Outcome) {
	for _, r := range s.Ladders[0].Rungs {
		for _, t := range r.Trials {
			if r.Rank == rank {
				finish(s, t.Trial.ID, of(t.Trial.Seed))
			}
		}
	}
}

// loss makes the outcomes of a rung with this mean loss: seeds lie apart, but almost equally in every rung.
func loss(mean float64) func(int64) trial.Outcome {
	return func(seed int64) trial.Outcome {
		return done(mean + 0.03*float64(seed) + 0.0002*float64(seed*seed)*mean)
	}
}

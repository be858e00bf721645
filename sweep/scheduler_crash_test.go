package sweep_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/plateau"
	"github.com/ranksweep/ranksweep/sweep/sweeptest"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

// errCrash is what a crashing store answers.
var errCrash = errors.New("power cut")

// fragileStore fails once at a call: before it takes effect, or after.
type fragileStore struct {
	sweep.Store
	calls, at int
	after     bool
}

func (f *fragileStore) crash(effect func() error) error {
	f.calls++
	if f.calls != f.at {
		return effect()
	}
	if f.after {
		if err := effect(); err != nil {
			return err
		}
	}
	return errCrash
}

func (f *fragileStore) BeginAttempt(ctx context.Context, id trial.ID, n int, a trial.Assignment, at time.Time) error {
	return f.crash(func() error { return f.Store.BeginAttempt(ctx, id, n, a, at) })
}

func (f *fragileStore) Append(ctx context.Context, news ...sweep.News) error {
	return f.crash(func() error { return f.Store.Append(ctx, news...) })
}

func (f *fragileStore) Heartbeat(ctx context.Context, session int64, now sweep.Instant, waits string) error {
	return f.crash(func() error { return f.Store.Heartbeat(ctx, session, now, waits) })
}

func (f *fragileStore) RecordVerdict(ctx context.Context, ladder int64, v plateau.Verdict, at time.Time) error {
	return f.crash(func() error { return f.Store.RecordVerdict(ctx, ladder, v, at) })
}

func (f *fragileStore) Refresh(ctx context.Context, before sweep.Snapshot, anew ...int) (s sweep.Snapshot, err error) {
	err = f.crash(func() error {
		s, err = f.Store.Refresh(ctx, before, anew...)
		return err
	})
	return s, err
}

// TestSchedulerCrashesAnywhere ends the coordinator at each of its writes and reads in turn, before and after they take
// effect; sometimes the workers die with it, sometimes the database is lost too. A successor comes some seconds later. The
// results must be those of an uninterrupted run.
func TestSchedulerCrashesAnywhere(t *testing.T) {
	t.Parallel()
	crashAnywhere(t, nil, 31, 43, 61)
}

// TestNeededSeedsCrashAnywhere is the same for a sweep that trains seeds as needed.
func TestNeededSeedsCrashAnywhere(t *testing.T) {
	t.Parallel()
	crashAnywhere(t, func(i *sweep.Info) { i.Rule.SeedsPerRank = plateau.NeededSeeds }, 31, 43, 61)
}

// crashAnywhere ends runs of a changed sweep at every so manieth call: the coordinator, the workers with it, and the database too.
func crashAnywhere(t *testing.T, change func(*sweep.Info), coordinator, withWorkers, withDatabase int) {
	t.Helper()
	crashAnywhereWith(t, trainer(), change, coordinator, withWorkers, withDatabase)
}

func crashAnywhereWith(t *testing.T, tr sweeptest.Trainer, change func(*sweep.Info), coordinator, withWorkers, withDatabase int) {
	t.Helper()
	for name, tt := range map[string]struct {
		stride       int
		workers, all bool
	}{
		"coordinator":                       {coordinator, false, false},
		"coordinator and workers":           {withWorkers, true, false},
		"coordinator, workers and database": {withDatabase, true, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				want, err := newBench(t, tr, change).run(t.Context(), t, nil)
				if err != nil {
					t.Fatal(err)
				}
				for at := 1; ; at += tt.stride {
					b := newBench(t, tr, change)
					fragile := &fragileStore{at: at, after: at%2 == 0}
					_, err := b.run(t.Context(), t, func(s *sweep.Scheduler) { fragile.Store, s.Store = s.Store, fragile })
					if err == nil {
						return // the run made fewer calls
					}
					if !errors.Is(err, errCrash) {
						t.Fatalf("call %d: Run = %v", at, err)
					}
					if tt.workers {
						killAll(t, b)
					}
					if tt.all {
						b.newStore(t, change)
					}
					time.Sleep(time.Duration(at%90) * time.Second)
					got, err := b.run(t.Context(), t, nil)
					if err != nil {
						t.Fatalf("after a crash at call %d: Run = %v", at, err)
					}
					wantResults(t, want, got)
				}
			})
		})
	}
}

// doomedStore crashes whenever a worker of a trial has written its first step.
type doomedStore struct {
	sweep.Store
	trial trial.ID
	died  map[trial.AttemptID]bool
}

func (d doomedStore) Append(ctx context.Context, news ...sweep.News) error {
	for _, n := range news {
		stepped := slices.ContainsFunc(n.Events, func(e trial.Event) bool { return e.Kind == trial.EventPoint })
		if n.Attempt.Trial() == d.trial && stepped && !d.died[n.Attempt] {
			d.died[n.Attempt] = true
			return errCrash
		}
	}
	return d.Store.Append(ctx, news...)
}

// TestTrialThatTakesItsCoordinatorAlong: where the machine kills a coordinator with its workers whenever one trial trains, as a container
// that runs out of memory does, and starts it again, that trial is given up in the end, and the others get through.
func TestTrialThatTakesItsCoordinatorAlong(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, trainer(), nil)
		b.capacity.Jobs = 1
		bad, lives, died := sweeptest.Trial(16, 2, 1).ID, 0, map[trial.AttemptID]bool{}
		for {
			lives++
			s, err := b.run(t.Context(), t, func(s *sweep.Scheduler) { s.Store = doomedStore{s.Store, bad, died} })
			if err == nil {
				f := s.Ladders[0].Rungs[1].Trials[1]
				if f.State() != sweep.TrialFailed || len(f.Attempts) != 16 || lives != 17 { // the first of which wrote a checkpoint
					t.Errorf("after %d lives it is %s after %d attempts, want failed after 16", lives, f.State(), len(f.Attempts))
				}
				if v := sweep.Conclude(s).Verdicts; v[0].State != plateau.StateIncomplete || v[1].State != plateau.StatePlateau {
					t.Errorf("%s and %s, want incomplete and plateau", v[0].State, v[1].State)
				}
				return
			}
			if !errors.Is(err, errCrash) || lives > 20 {
				t.Fatalf("life %d: Run = %v", lives, err)
			}
			killAll(t, b)
		}
	})
}

func killAll(t *testing.T, b *bench) {
	t.Helper()
	for _, a := range b.exec.Starts() {
		if err := b.exec.Stop(t.Context(), a.Attempt, true); err != nil {
			t.Fatal(err)
		}
	}
}

package sweep_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/plateau"
	"github.com/ranksweep/ranksweep/sweep/sweeptest"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

// checkPaused holds that a pause starts and registers nothing, and ends neither what a ladder waits for nor the sweep.
func checkPaused(t *rapid.T, s sweep.Snapshot, live []trial.AttemptID, c sweep.Capacity) {
	want := sweep.Decide(s, live, c)
	s.Sweep.Asked.Paused = true
	d := sweep.Decide(s, live, c)
	if len(d.Start)+len(d.Register) > 0 || d.Done != want.Done {
		t.Fatalf("paused it decides %+v, else %+v", d, want)
	}
	for _, id := range d.Stop {
		if !slices.Contains(want.Stop, id) {
			t.Fatalf("%s ends by a pause", id)
		}
	}
	if diff := cmp.Diff(want.Verdicts, d.Verdicts, cmpopts.EquateEmpty()); diff != "" {
		t.Fatalf("verdicts (-running +paused):\n%s", diff)
	}
}

// TestSchedulerPauses: what runs goes on to its end, nothing new starts until the pause is lifted, and the results are those of an
// uninterrupted sweep.
func TestSchedulerPauses(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, trainer(), nil)
		var atPause, atEnd int
		go func() {
			ask := func(kind sweep.RequestKind) {
				if err := b.store.Ask(context.Background(), b.id, kind, time.Now()); err != nil {
					t.Error(err)
				}
			}
			time.Sleep(100 * time.Second) // one pair of trials is done, the next trains
			ask(sweep.RequestPause)
			atPause = len(b.exec.Starts())
			time.Sleep(time.Hour)
			atEnd = len(b.exec.Starts())
			ask(sweep.RequestResume)
		}()
		shown := false
		s, err := b.run(t.Context(), t, func(s *sweep.Scheduler) {
			s.Progress = func(p sweep.Progress) {
				shown = shown || p.Snapshot.Sweep.Asked.Paused
				for _, a := range p.Gone {
					if a.Outcome.State != trial.OutcomeDone {
						t.Errorf("%s was ended: %+v", a.ID, a.Outcome)
					}
				}
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		if atPause != 4 || atEnd != 4 || !shown {
			t.Errorf("%d starts when it was paused, %d an hour later, want 4 and 4; progress showed it: %v", atPause, atEnd, shown)
		}
		wantResults(t, uninterrupted(t, trainer()), s)
	})
}

// lateGrid is a store in which a person extends the sweep just after the last verdict.
type lateGrid struct {
	sweep.Store
	recorded map[int64]bool
}

func (l *lateGrid) RecordVerdict(ctx context.Context, ladder int64, v plateau.Verdict, at time.Time) error {
	l.recorded[ladder] = true
	return l.Store.RecordVerdict(ctx, ladder, v, at)
}

func (l *lateGrid) Refresh(ctx context.Context, known sweep.Snapshot, anew ...int) (sweep.Snapshot, error) {
	s, err := l.Store.Refresh(ctx, known, anew...)
	if len(l.recorded) == len(s.Ladders) {
		s.Sweep.Asked.Grid = 1
	}
	return s, err
}

// TestSchedulerHearsTheLastWish: a grid that comes as the last ladder ends is taken up, not left to the next coordinator.
func TestSchedulerHearsTheLastWish(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, trainer(), nil)
		_, err := b.run(t.Context(), t, func(s *sweep.Scheduler) {
			s.Store = &lateGrid{Store: s.Store, recorded: map[int64]bool{}}
		})
		if !errors.Is(err, sweep.ErrExtended) {
			t.Errorf("%v, want ErrExtended", err)
		}
	})
}

// TestSchedulerCancels: within about a second the workers are asked for their checkpoints, and what follows goes on from there.
func TestSchedulerCancels(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, trainer(), nil)
		var asked time.Time
		go func() {
			time.Sleep(100 * time.Second)
			asked = time.Now()
			if err := b.store.Ask(context.Background(), b.id, sweep.RequestCancel, asked); err != nil {
				t.Error(err)
			}
		}()
		s, err := b.run(t.Context(), t, nil)
		if !errors.Is(err, sweep.ErrInterrupted) || !s.Sweep.Asked.Cancelled || time.Since(asked) > 20*time.Second {
			t.Fatalf("Run = %v, asked %+v, %v after the request", err, s.Sweep.Asked, time.Since(asked))
		}
		before := len(b.exec.Starts())
		got, err := b.run(t.Context(), t, nil) // its session is another: the cancellation was not of this one
		if err != nil {
			t.Fatal(err)
		}
		wantResults(t, uninterrupted(t, trainer()), got)
		for _, a := range b.exec.Starts()[before : before+2] {
			if len(a.Checkpoints) != 1 {
				t.Errorf("%s began with checkpoints %v", a.Attempt, a.Checkpoints)
			}
		}
	})
}

// TestSchedulerRetries: trials that were killed too often are not lost for good.
func TestSchedulerRetries(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		broken := true
		b := newBench(t, trainer(), nil)
		script := b.exec.Script
		b.exec.Script = func(a trial.Assignment, from int) []sweeptest.Line {
			lines := script(a, from)
			if broken && a.Trial.Spec.LoRA.Rank == 1 {
				return lines[:1] // the worker is gone without a word
			}
			return lines
		}
		failed := func() []trial.ID {
			s, err := b.store.Snapshot(context.Background(), b.id)
			if err != nil {
				t.Error(err)
			}
			var ids []trial.ID
			s.Each(func(_ *sweep.Ladder, _ int, f *sweep.TrialFacts) {
				if f.Retryable() {
					ids = append(ids, f.Trial.ID)
				}
			})
			return ids
		}
		s, err := b.run(t.Context(), t, nil)
		if err != nil || len(failed()) == 0 {
			t.Fatalf("Run = %v with %d failed", err, len(failed()))
		}
		if d := sweep.Decide(s, nil, b.capacity); !d.Done {
			t.Fatal("a sweep of failed trials is not done")
		}
		broken = false
		ids := failed()
		var last []trial.AttemptID
		for _, id := range ids {
			last = append(last, trial.NewAttemptID(id, 5))
		}
		if err := b.store.Retry(t.Context(), b.id, last, time.Now()); err != nil {
			t.Fatal(err)
		}
		got, err := b.run(t.Context(), t, nil)
		if err != nil {
			t.Fatal(err)
		}
		wantResults(t, uninterrupted(t, trainer()), got)
		for _, id := range ids {
			if n := len(slices.DeleteFunc(b.exec.Starts(), func(a trial.Assignment) bool { return a.Trial.ID != id })); n != 6 {
				t.Errorf("trial %s was started %d times, want five crashes and one more", id, n)
			}
		}
	})
}

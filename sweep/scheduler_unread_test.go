package sweep_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/sweeptest"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

// shortOfFiles is an executor that cannot read what workers wrote for a while.
type shortOfFiles struct {
	*sweeptest.FakeExecutor
	from, to time.Time
}

func (s *shortOfFiles) Events(ctx context.Context, id trial.AttemptID, after int64) ([]trial.Event, error) {
	if now := time.Now(); !now.Before(s.from) && now.Before(s.to) {
		return nil, errors.New("too many open files")
	}
	return s.FakeExecutor.Events(ctx, id, after)
}

// TestSchedulerWaitsForEvents: workers that train, and such as end, while their events cannot be read for some seconds lose nothing, also
// where the coordinator is stopped for an hour meanwhile.
func TestSchedulerWaitsForEvents(t *testing.T) {
	t.Parallel()
	for _, stopped := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			whole := newBench(t, trainer(), nil)
			want, err := whole.run(t.Context(), t, nil)
			if err != nil {
				t.Fatal(err)
			}
			b := newBench(t, trainer(), nil)
			began := time.Now()
			short := &shortOfFiles{b.exec, began.Add(55 * time.Second), began.Add(75 * time.Second)} // the first two end after 62 s
			got, err := b.run(t.Context(), t, func(s *sweep.Scheduler) {
				if s.Exec = short; stopped {
					s.Clock = &suspended{Clock: s.Clock}
				}
			})
			if err != nil {
				t.Fatal(err)
			}
			wantResults(t, want, got)
			if n, all := len(b.exec.Starts()), len(whole.exec.Starts()); n != all {
				t.Errorf("stopped %t: %d starts, want %d", stopped, n, all)
			}
		})
	}
}

// unreadable is an executor that cannot read what one worker wrote, from some time on.
type unreadable struct {
	*unkilled
	attempt trial.AttemptID
	from    time.Time
}

func (u *unreadable) Events(ctx context.Context, id trial.AttemptID, after int64) ([]trial.Event, error) {
	if id == u.attempt && time.Now().After(u.from) {
		return nil, errors.New("input/output error")
	}
	return u.unkilled.Events(ctx, id, after)
}

// TestWorkerWhoseEventsCannotBeRead: it is killed, and what is said of it is why, whatever is decided before it is gone.
func TestWorkerWhoseEventsCannotBeRead(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		bad := trial.NewAttemptID(sweeptest.Trial(16, 1, 0).ID, 1)
		tr := trainer()
		tr.Hang = func(a trial.Assignment) int {
			if a.Attempt == bad {
				return 8
			}
			return 0
		}
		b := newBench(t, tr, nil)
		got, err := b.run(t.Context(), t, func(s *sweep.Scheduler) { // it is killed after 50 s and 80 s, and the one beside it ends after 62 s
			s.Exec = &unreadable{newUnkilled(b.exec), bad, time.Now().Add(20 * time.Second)}
		})
		if err != nil {
			t.Fatal(err)
		}
		first := got.Ladders[0].Rungs[0].Trials[0].Attempts[0]
		if o := first.Outcome; first.ID != bad || o.State != trial.OutcomeCrashed || !strings.Contains(o.Error, "input/output error") {
			t.Errorf("%s: %+v", first.ID, o)
		}
	})
}

// tornAtItsEnd is an executor whose first worker leaves a damaged event log.
type tornAtItsEnd struct{ *sweeptest.FakeExecutor }

func (e *tornAtItsEnd) Events(ctx context.Context, id trial.AttemptID, after int64) ([]trial.Event, error) {
	if e.Starts()[0].Attempt != id {
		return e.FakeExecutor.Events(ctx, id, after)
	}
	if process, err := e.Probe(ctx, id); err != nil || process.Alive {
		return nil, err
	}
	return nil, fmt.Errorf("read the events of attempt %s: %w", id, trial.ErrDamaged)
}

// TestSchedulerDoesNotWaitForDamagedEvents: what a dead worker left damaged stays so. Its trial goes on at once.
func TestSchedulerDoesNotWaitForDamagedEvents(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, trainer(), nil)
		began := time.Now()
		got, err := b.run(t.Context(), t, func(s *sweep.Scheduler) { s.Exec = &tornAtItsEnd{b.exec} })
		if err != nil {
			t.Fatal(err)
		}
		first := got.Ladders[0].Rungs[0].Trials[0].Attempts
		if len(first) < 2 || first[0].Outcome.State == trial.OutcomeDone {
			t.Fatalf("attempts of the first trial: %+v", first)
		}
		if after := first[0].LastAt.Sub(began); after > 75*time.Second { // it is dead after 62 s
			t.Errorf("given up after %s", after)
		}
	})
}

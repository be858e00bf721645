package sweep_test

import (
	"context"
	"errors"
	"fmt"
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

// TestSchedulerWaitsForEvents: workers that train, and such as end, while their events cannot be read for some seconds lose nothing.
func TestSchedulerWaitsForEvents(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		whole := newBench(t, trainer(), nil)
		want, err := whole.run(t.Context(), t, nil)
		if err != nil {
			t.Fatal(err)
		}
		b := newBench(t, trainer(), nil)
		began := time.Now()
		short := &shortOfFiles{b.exec, began.Add(55 * time.Second), began.Add(75 * time.Second)} // the first two end after 62 s
		got, err := b.run(t.Context(), t, func(s *sweep.Scheduler) { s.Exec = short })
		if err != nil {
			t.Fatal(err)
		}
		wantResults(t, want, got)
		if n, all := len(b.exec.Starts()), len(whole.exec.Starts()); n != all {
			t.Errorf("%d starts, want %d", n, all)
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

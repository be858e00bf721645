package sweep_test

import (
	"context"
	"errors"
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

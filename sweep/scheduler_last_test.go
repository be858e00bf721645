package sweep_test

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/sweeptest"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

// lastWords calls cancel when the last of so many workers has ended.
type lastWords struct {
	*sweeptest.FakeExecutor
	starts int
	cancel context.CancelFunc
}

func (l *lastWords) Events(ctx context.Context, id trial.AttemptID, after int64) ([]trial.Event, error) {
	events, err := l.FakeExecutor.Events(ctx, id, after)
	ended := func(e trial.Event) bool { return e.Outcome != nil }
	if starts := l.Starts(); len(starts) == l.starts && starts[l.starts-1].Attempt == id && slices.ContainsFunc(events, ended) {
		l.cancel()
	}
	return events, err
}

// TestSchedulerRecordsAnInterruptedEnd: an interruption that comes as the last trial ends keeps no verdict from being recorded.
func TestSchedulerRecordsAnInterruptedEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		whole := newBench(t, trainer(), nil)
		if _, err := whole.run(t.Context(), t, nil); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		b := newBench(t, trainer(), nil)
		s, err := b.run(ctx, t, func(s *sweep.Scheduler) { s.Exec = &lastWords{b.exec, len(whole.exec.Starts()), cancel} })
		if err != nil || ctx.Err() == nil {
			t.Fatalf("Run = %v, interrupted: %v", err, ctx.Err())
		}
		for i, l := range s.Ladders {
			if n := len(b.store.Verdicts(l.ID)); n != 1 {
				t.Errorf("ladder %d: %d verdicts recorded, want 1", i+1, n)
			}
		}
	})
}

// TestSchedulerRecordsWhatTimeEnded: limits.time that runs out while an interrupted sweep's workers end is the sweep's end, which is
// recorded.
func TestSchedulerRecordsWhatTimeEnded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const limit = 100 * time.Second
		ctx, cancel := context.WithTimeout(t.Context(), limit-5*time.Millisecond) // a worker takes 10 ms to end
		defer cancel()
		b := newBench(t, trainer(), func(i *sweep.Info) { i.Limits.Time = limit })
		s, err := b.run(ctx, t, nil)
		if err != nil || s.Sweep.Elapsed < limit || ctx.Err() == nil {
			t.Fatalf("Run = %v after %v, interrupted: %v", err, s.Sweep.Elapsed, ctx.Err())
		}
		for i, v := range sweep.Conclude(s).Verdicts {
			if recorded := b.store.Verdicts(s.Ladders[i].ID); len(recorded) == 0 || recorded[len(recorded)-1].State != v.State {
				t.Errorf("ladder %d: recorded %v, want %s", i+1, recorded, v.State)
			}
		}
	})
}

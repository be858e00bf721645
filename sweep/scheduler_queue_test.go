package sweep_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/sweeptest"
	"github.com/ranksweep/ranksweep/sweep/trial"
	"github.com/ranksweep/ranksweep/sweep/trial/cause"
)

// queueing is an executor whose jobs wait for a machine before they run.
type queueing struct {
	*sweeptest.FakeExecutor
	wait time.Duration

	mu      sync.Mutex
	waiting map[trial.AttemptID]time.Time // until then
	jobs    map[trial.AttemptID]trial.Assignment
}

func (q *queueing) Start(_ context.Context, a trial.Assignment) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.waiting[a.Attempt], q.jobs[a.Attempt] = time.Now().Add(q.wait), a
	return nil
}

func (q *queueing) Probe(ctx context.Context, id trial.AttemptID) (sweep.Process, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if until, waits := q.waiting[id]; waits && time.Now().Before(until) {
		return sweep.Process{Alive: true, Waiting: true}, nil
	} else if waits {
		delete(q.waiting, id)
		if err := q.FakeExecutor.Start(ctx, q.jobs[id]); err != nil {
			return sweep.Process{}, err
		}
	}
	return q.FakeExecutor.Probe(ctx, id)
}

// TestSchedulerLetsJobsWait: a job that waits for hours for its machine does not hang, and its trial's time has not begun.
func TestSchedulerLetsJobsWait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBenchOf(t, []int{1, 2}, trainer(), func(i *sweep.Info) { i.Limits.TrialTime = 5 * time.Minute })
		waited := 0
		s, err := b.run(t.Context(), t, func(s *sweep.Scheduler) {
			s.Exec = &queueing{
				FakeExecutor: b.exec, wait: 3 * time.Hour, waiting: map[trial.AttemptID]time.Time{}, jobs: map[trial.AttemptID]trial.Assignment{},
			}
			s.HungAfter, s.Capacity.Apart = 10*time.Minute, true
			s.Progress = func(p sweep.Progress) {
				for _, a := range p.Live {
					if a.Waiting {
						waited++
					}
				}
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		s.Each(func(_ *sweep.Ladder, _ int, f *sweep.TrialFacts) {
			if f.State() != sweep.TrialDone || len(f.Attempts) != 1 {
				t.Errorf("trial %s is %s after %d attempts", f.Trial.ID, f.State(), len(f.Attempts))
			}
		})
		if waited == 0 {
			t.Error("no progress shows that jobs wait")
		}
	})
}

// TestSchedulerMemoryAsked: a trial whose job outgrew what it asked for is tried again as it was, beside others.
func TestSchedulerMemoryAsked(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		more  bool // the next job may ask for more
		cause cause.Cause
		micro int
	}{
		"more is to be had": {true, cause.MemoryAsked, 0},
		"that was all":      {false, cause.Memory, sweeptest.Trial(16, 1, 0).Spec.Train.HalfBatch()},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				tr, bad := trainer(), sweeptest.Trial(16, 1, 0).ID
				tr.Crash = func(a trial.Assignment) int {
					if a.Trial.ID == bad && a.Attempt.Number() == 1 {
						return 4
					}
					return 0
				}
				b := newBenchOf(t, []int{1, 2}, tr, nil)
				b.exec.Exit = func(trial.Assignment) sweep.Process {
					return sweep.Process{Exit: "signal: killed", OutOfMemory: true, AskedTooLittle: tt.more}
				}
				s, err := b.run(t.Context(), t, func(s *sweep.Scheduler) { s.Capacity.Apart = true })
				if err != nil {
					t.Fatal(err)
				}
				f := s.Ladders[0].Rungs[0].Trials[0]
				if len(f.Attempts) != 2 || f.State() != sweep.TrialDone || f.Attempts[0].Outcome.Cause != tt.cause {
					t.Fatalf("%s after %+v", f.State(), f.Attempts)
				}
				if got := f.Attempts[1].MicroBatch; got != tt.micro {
					t.Errorf("micro batch %d, want %d", got, tt.micro)
				}
			})
		})
	}
}

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

// frozen is where a coordinator is stopped, beyond its lease: another one takes the sweep over meanwhile.
type frozen struct {
	sweep.Store
	*sweeptest.FakeExecutor
	at    string
	steal func()
	calls []string // after it woke up
	woken bool
}

func (f *frozen) freeze(at string) {
	if at == f.at && !f.woken {
		f.woken = true
		f.steal()
		time.Sleep(time.Minute)
	} else if f.woken {
		f.calls = append(f.calls, at)
	}
}

func (f *frozen) BeginAttempt(ctx context.Context, id trial.ID, n int, a trial.Assignment, at time.Time) error {
	err := f.Store.BeginAttempt(ctx, id, n, a, at)
	if err == nil {
		f.freeze("intent")
	}
	return err
}

func (f *frozen) Start(ctx context.Context, a trial.Assignment) error {
	err := f.FakeExecutor.Start(ctx, a)
	f.freeze("start")
	return err
}

func (f *frozen) Stop(ctx context.Context, id trial.AttemptID, kill bool) error {
	if kill {
		f.freeze("kill")
	} else {
		f.freeze("stop")
	}
	return f.FakeExecutor.Stop(ctx, id, kill)
}

// TestFrozenCoordinator: one that wakes up after it lost its sweep starts nothing, stops nobody, and takes back a worker of which its
// successor cannot know.
func TestFrozenCoordinator(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		at     string
		calls  int
		living int
	}{
		"between intent and start": {"intent", 0, 0},
		"while it starts a worker": {"start", 1, 0},
		"before it stops them":     {"asked", 0, 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, trainer(), nil)
				steal := func() {
					by := sweep.Coordinator{Host: "there", PID: 43}
					if _, err := b.store.StartSession(t.Context(), b.id, sweep.Instant{}, by); err != nil {
						t.Error(err)
					}
				}
				f := &frozen{Store: b.store, FakeExecutor: b.exec, at: tt.at, steal: steal}
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				if tt.at == "asked" {
					go func() {
						time.Sleep(30 * time.Second)
						steal()
						f.woken = true
						cancel()
					}()
				}
				if _, err := b.run(ctx, t, func(s *sweep.Scheduler) { s.Store, s.Exec = f, f }); !errors.Is(err, sweep.ErrLocked) {
					t.Fatalf("Run = %v, want ErrLocked", err)
				}
				living := 0
				for _, a := range b.exec.Starts() {
					if p, err := b.exec.Probe(t.Context(), a.Attempt); err == nil && p.Alive {
						living++
					}
				}
				if len(f.calls) != tt.calls || living != tt.living {
					t.Errorf("after it woke up: %v, and %d workers live; want %d calls and %d workers", f.calls, living, tt.calls, tt.living)
				}
			})
		})
	}
}

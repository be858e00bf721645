package store_test

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/sweeptest"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

// jumping is a clock that stands still while anything is done, and jumps where a scheduler waits: at least so far.
type jumping struct {
	now   time.Time
	began time.Time
	least time.Duration
}

func (c *jumping) Now() sweep.Instant { return sweep.Instant{Wall: c.now, Uptime: c.now.Sub(c.began)} }

func (c *jumping) After(d time.Duration) <-chan time.Time {
	c.now = c.now.Add(max(d, c.least))
	ready := make(chan time.Time, 1)
	ready <- c.now
	return ready
}

// BenchmarkClusterSweep works a whole sweep off as one coordinator does for a cluster, on a real database, with workers that only write
// events: as many jobs at once as a hundredth of the trials, a minute each. It reports what the coordinator takes for a trial.
func BenchmarkClusterSweep(b *testing.B) {
	for _, ladders := range []int{10, 100} {
		b.Run(fmt.Sprintf("ladders=%d", ladders), func(b *testing.B) { benchmarkCluster(b, ladders) })
	}
}

func benchmarkCluster(b *testing.B, ladders int) {
	b.Helper()
	for b.Loop() {
		db, id := created(b, filepath.Join(b.TempDir(), "sweep.db"))
		if err := db.Register(b.Context(), id, largeRegistration(ladders)); err != nil {
			b.Fatal(err)
		}
		clock := &jumping{least: time.Second}
		clock.began = time.Date(2026, 11, 30, 0, 0, 0, 0, time.UTC)
		clock.now = clock.began
		trainer := sweeptest.Trainer{
			Boot: 2 * time.Second, StepTime: time.Second, Loss: func(t trial.Trial) float64 { return 5 / float64(t.Spec.LoRA.Rank) },
		}
		exec := &sweeptest.FakeExecutor{Script: trainer.Script, Now: func() time.Time { return clock.now }}
		session, err := db.StartSession(b.Context(), id, clock.Now(), sweep.Coordinator{Host: "here", PID: 1})
		if err != nil {
			b.Fatal(err)
		}
		s := &sweep.Scheduler{
			Store: db, Exec: exec, Root: "", Clock: clock, Log: slog.New(slog.DiscardHandler),
			Capacity: sweep.Capacity{Jobs: max(10, 27*ladders/100), Apart: true},
		}
		began := time.Now()
		if _, err := s.Run(context.WithoutCancel(b.Context()), sweep.Snapshot{Sweep: sweep.Info{ID: id}}, session); err != nil {
			b.Fatal(err)
		}
		n := len(exec.Starts())
		b.ReportMetric(float64(n), "trials")
		b.ReportMetric(float64(time.Since(began).Milliseconds())/float64(n), "ms/trial")
		if err := db.Close(); err != nil {
			b.Fatal(err)
		}
	}
}

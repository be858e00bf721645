package store_test

import (
	"context"
	"fmt"
	"hash/fnv"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/ranksweep/ranksweep/store"
	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/sweeptest"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

// jumping is a clock that goes on where a scheduler waits, at least so far, and while it works.
type jumping struct {
	skipped time.Duration
	began   time.Time
	least   time.Duration
}

func (c *jumping) Now() sweep.Instant {
	up := time.Since(c.began) + c.skipped
	return sweep.Instant{Wall: time.Date(2026, 11, 30, 0, 0, 0, 0, time.UTC).Add(up), Uptime: up}
}

func (c *jumping) After(d time.Duration) <-chan time.Time {
	c.skipped += max(d, c.least)
	ready := make(chan time.Time, 1)
	ready <- c.Now().Wall
	return ready
}

// writes counts what a coordinator writes.
type writes struct {
	*store.DB
	transactions, events int
}

func (w *writes) BeginAttempt(ctx context.Context, id trial.ID, number int, a trial.Assignment, at time.Time) error {
	w.transactions++
	return w.DB.BeginAttempt(ctx, id, number, a, at)
}

func (w *writes) Append(ctx context.Context, news ...sweep.News) error {
	w.transactions++
	for _, n := range news {
		w.events += len(n.Events)
	}
	return w.DB.Append(ctx, news...)
}

func (w *writes) Heartbeat(ctx context.Context, session int64, now sweep.Instant, waits string) error {
	w.transactions++
	return w.DB.Heartbeat(ctx, session, now, waits)
}

// BenchmarkClusterSweep works a whole sweep off as one coordinator does for a cluster, on a real database, with workers that only write
// events: a tenth of the trials at once, each for 10 to 30 minutes of a clock that jumps. It reports what the coordinator takes. The largest
// has 100,008 trials, and -short leaves it out. SWEEP_BENCH_ROOT=DIR keeps the database there, to try commands on.
func BenchmarkClusterSweep(b *testing.B) {
	for _, ladders := range []int{10, 100, 3704} {
		b.Run(fmt.Sprintf("ladders=%d", ladders), func(b *testing.B) {
			if testing.Short() && ladders > 1_000 {
				b.Skip("large")
			}
			for b.Loop() {
				benchmarkCluster(b, ladders)
			}
		})
	}
}

func benchmarkCluster(b *testing.B, ladders int) {
	b.Helper()
	root := b.TempDir()
	if kept := os.Getenv("SWEEP_BENCH_ROOT"); kept != "" {
		root = filepath.Join(kept, fmt.Sprint(ladders))
	}
	db, id := created(b, filepath.Join(root, "sweep.db"))
	if err := db.Register(b.Context(), id, longRegistration(ladders)); err != nil {
		b.Fatal(err)
	}
	clock, counted := &jumping{least: time.Second, began: time.Now()}, &writes{DB: db}
	exec := &sweeptest.FakeExecutor{Script: ofAbout(20 * time.Minute), Now: func() time.Time { return clock.Now().Wall }}
	session, err := db.StartSession(b.Context(), id, clock.Now(), sweep.Coordinator{Host: "here", PID: 1})
	if err != nil {
		b.Fatal(err)
	}
	s := &sweep.Scheduler{
		Store: counted, Exec: exec, Root: root, Clock: clock, Log: slog.New(slog.DiscardHandler),
		Capacity: sweep.Capacity{Jobs: min(10_000, 27*ladders/10), Apart: true},
	}
	before := processorTime(b)
	end, err := s.Run(context.WithoutCancel(b.Context()), sweep.Snapshot{Sweep: sweep.Info{ID: id}}, session)
	if err != nil {
		b.Fatal(err)
	}
	took, worked := clock.Now().Uptime, processorTime(b)-before
	n := float64(len(exec.Starts()))
	b.ReportMetric(n, "trials")
	b.ReportMetric(float64(exec.Most()), "at-once")
	b.ReportMetric(1000*(took-clock.skipped).Seconds()/n, "ms/trial")
	b.ReportMetric(1000*worked.Seconds()/n, "cpu-ms/trial")
	b.ReportMetric(100*worked.Seconds()/took.Seconds(), "%cpu")
	b.ReportMetric(took.Hours(), "hours")
	b.ReportMetric(float64(counted.events)/n, "events/trial")
	b.ReportMetric(float64(counted.transactions)/took.Seconds(), "transactions/s")
	exec = nil //nolint:wastedassign // its memory is not the coordinator's
	var d sweep.Decider
	d.Decide(end, nil, s.Capacity)
	b.ReportMetric(heapMB(), "heap-MB")
	runtime.KeepAlive(end)
	runtime.KeepAlive(&d)
	if err := db.Close(); err != nil {
		b.Fatal(err)
	}
	file, err := os.Stat(db.Path())
	if err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(file.Size())/n, "database-bytes/trial")
}

// steps are those of a trial, with an evaluation after each 20: 75 events.
const steps = 60

// longRegistration is largeRegistration of longer trials.
func longRegistration(ladders int) sweep.Registration {
	r := largeRegistration(ladders)
	for _, l := range r.Ladders {
		first := l.Rungs[0].Trials[0].Trial.Trial()
		first.Spec.Train.Steps, first.Spec.Train.EvalSteps = steps, steps/3
		family := trial.New(first.Spec, first.Base, first.Data, first.Backend).Brief().Shared.Family()
		for _, rung := range l.Rungs {
			for i, t := range rung.Trials {
				rung.Trials[i].Trial = family.With(rung.Rank, t.Trial.Alpha, t.Trial.Seed)
			}
		}
	}
	return r
}

// ofAbout returns workers that train for half as long at least, and one and a half times at most.
func ofAbout(d time.Duration) sweeptest.Script {
	trainer := sweeptest.Trainer{
		Boot: d / 20, StepTime: d / steps, Loss: func(t trial.Trial) float64 { return 5 / float64(t.Spec.LoRA.Rank) },
	}
	return func(a trial.Assignment, from int) []sweeptest.Line {
		h := fnv.New32a()
		h.Write([]byte(a.Attempt))
		stretch := time.Duration(500 + h.Sum32()%1000)
		lines := trainer.Script(a, from)
		for i := range lines {
			lines[i].After = lines[i].After * stretch / 1000
		}
		return lines
	}
}

// processorTime is what this process has taken of all cores.
func processorTime(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// heapMB is what is in use.
func heapMB() float64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc) / 1e6
}

package ray_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"testing"
	"time"

	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/executor/cluster"
	"github.com/ranksweep/ranksweep/sweep/executor/ray"
	"github.com/ranksweep/ranksweep/sweep/executor/ray/raytest"
	"github.com/ranksweep/ranksweep/sweep/sweeptest"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

// TestMain lets the test binary play the worker: "worker SCRIPT --job DIR" does what the script says.
func TestMain(m *testing.M) {
	if len(os.Args) == 5 && os.Args[1] == "worker" {
		if err := worker(os.Args[2], os.Args[4]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func worker(script, dir string) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	ctx, cancel := cluster.UntilAsked(ctx, dir)
	defer cancel()
	events, err := trial.LockEvents(dir)
	if err != nil {
		return err
	}
	log, err := trial.NewEventLog(events)
	if err != nil {
		return err
	}
	if err := log.Emit(trial.Event{Kind: trial.EventStarted, Environment: &trial.Environment{PID: os.Getpid()}}); err != nil {
		return err
	}
	outcome := trial.Outcome{State: trial.OutcomeDone}
	switch script {
	case sweeptest.WorkerDies:
		return errors.New("no more words")
	case sweeptest.WorkerWaits:
		<-ctx.Done()
		outcome.State = trial.OutcomeInterrupted
	}
	return log.Emit(trial.Event{Kind: trial.EventEnded, Outcome: &outcome})
}

// TestConformsOnRay: attempts whose jobs a real head runs are started, found again, stopped and killed as any other.
func TestConformsOnRay(t *testing.T) {
	t.Parallel()
	head := raytest.Start(t, 8) // as many jobs at the same time: they do nothing
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	t.Run("", func(t *testing.T) { // returns once all its parts have, which run in parallel
		sweeptest.ExerciseExecutor(t, func(t *testing.T, root, worker string) sweep.Executor {
			t.Helper()
			return &cluster.Executor{
				Root: root, Queue: &ray.Queue{Settings: head.Settings()}, Script: cluster.Script{Command: []string{self, "worker", worker}},
				Late: 12 * time.Second, Clock: sweep.NewClock(), Log: slog.New(slog.DiscardHandler),
			}
		})
	})
}

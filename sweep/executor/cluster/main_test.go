package cluster_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/ranksweep/ranksweep/sweep/executor/cluster"
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

// worker says that it has started, and does what the script says.
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

// self is the command of a worker that does what the script says.
func self(t *testing.T, script string) []string {
	t.Helper()
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return []string{path, "worker", script}
}

func read(t *testing.T, path ...string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(path...))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

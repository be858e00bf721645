// Package clustertest lets a test binary play the worker of jobs, for tests of executors on a queue: their TestMain calls Main.
package clustertest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/ranksweep/ranksweep/sweep/executor/cluster"
	"github.com/ranksweep/ranksweep/sweep/sweeptest"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

// Main runs the tests, or in a job, as "worker SCRIPT --job DIR", what the script says: sweeptest.WorkerFinishes and so on.
func Main(m *testing.M) {
	if len(os.Args) == 5 && os.Args[1] == "worker" {
		if err := work(os.Args[2], os.Args[4]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// Command is the command line of a worker that does what the script says.
func Command(t *testing.T, script string) []string {
	t.Helper()
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return []string{path, "worker", script}
}

// Late is a variable of workers' environment: their events appear so many seconds after their end.
const Late = "CLUSTER_TEST_LATE"

func work(script, dir string) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	cluster.EndWithScript()
	return Work(ctx, script, dir)
}

// Work does what the script says with the attempt in dir.
func Work(ctx context.Context, script, dir string) error {
	ctx, cancel := cluster.UntilAsked(ctx, dir)
	defer cancel()
	logs, late := dir, os.Getenv(Late)
	if late != "" {
		logs = filepath.Join(dir, ".late")
		if err := os.Mkdir(logs, 0o700); err != nil {
			return err
		}
	}
	events, err := trial.LockEvents(logs)
	if err != nil {
		return err
	}
	defer events.Close() //nolint:errcheck // synced by Emit
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
	err = log.Emit(trial.Event{Kind: trial.EventEnded, Outcome: &outcome})
	if late != "" {
		//nolint:noctx,gosec // it outlives this; a test says how late
		show := exec.Command("bash", "-c", `sleep "$0"; mv "$1" "$2"`, late, filepath.Join(logs, trial.EventsFile), dir)
		err = errors.Join(err, show.Start())
	}
	return err
}

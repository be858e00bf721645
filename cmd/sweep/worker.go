package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/ranksweep/ranksweep/sweep/executor/cluster"
	"github.com/ranksweep/ranksweep/sweep/executor/local"
	"github.com/ranksweep/ranksweep/sweep/trial"
	"github.com/ranksweep/ranksweep/sweep/trial/cause"
	"github.com/ranksweep/ranksweep/trainer"
)

// giveWay has the kernel kill this process before others where memory ends: a trial is tried again, but a killed coordinator leaves its
// sweep alone, and a worker that has just begun is smaller than that. Where there is no such file (proc_pid_oom_score_adj(5)) nothing is
// lost.
func giveWay() { _ = os.WriteFile("/proc/self/oom_score_adj", []byte("500"), 0o600) }

func newWorkerCommand(*app) *cobra.Command {
	var eventsFD, coordinatorFD int
	var job, pilot bool
	cmd := &cobra.Command{
		Use:   "worker DIR",
		Short: "Train an attempt, and those that follow: what a coordinator starts in its own process",
		Long: "worker trains the attempt that DIR/spec.json describes and appends its events to DIR/events.jsonl.\n" +
			"Coordinators start it; by hand it repeats one attempt.",
		Args:   cobra.ExactArgs(1),
		Hidden: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, stop := signal.NotifyContext(cmd.Context(), syscall.SIGTERM, os.Interrupt)
			defer stop()
			giveWay()
			if pilot {
				return withWorkerCode(workPilot(ctx, args[0]))
			}
			if job {
				return withWorkerCode(workJob(ctx, args[0]))
			}
			return withWorkerCode(work(ctx, args[0], eventsFD, coordinatorFD))
		},
	}
	cmd.Flags().IntVar(&eventsFD, "events-fd", 0, "inherited descriptor of the locked event log")
	cmd.Flags().IntVar(&coordinatorFD, "coordinator-fd", 0, "inherited descriptor of the channel for further attempts")
	cmd.Flags().BoolVar(&job, "job", false, "the attempt is a cluster's job: refuse one that was run before, and end once DIR/stop is there")
	cmd.Flags().BoolVar(&pilot, "pilot", false, "DIR is a pilot's: train the attempts of its sweep one after another")
	return cmd
}

// withWorkerCode gives an error the exit status that tells a coordinator of it: on a full disk nothing else tells why.
func withWorkerCode(err error) error {
	if status := cause.OfError(err).ExitStatus(); status != 0 {
		return withCode(status, err)
	}
	return err
}

// workJob trains the folder's attempt as a cluster's job.
func workJob(ctx context.Context, folder string) error {
	dir, err := filepath.Abs(folder)
	if err != nil {
		return err
	}
	events, err := trial.OpenFile(filepath.Join(dir, trial.EventsFile), os.O_RDWR|os.O_APPEND)
	if err != nil {
		return err
	}
	defer events.Close() //nolint:errcheck // synced by Emit
	if info, err := events.Stat(); err != nil || info.Size() > 0 {
		return fmt.Errorf("the attempt in %s has run before: %w", dir, errors.Join(err, fs.ErrExist))
	}
	_, _ = trial.TakeLock(events) // some shared file systems have none; that one job alone has the attempt, its script has made sure of
	cluster.EndWithScript()
	ctx, cancel := cluster.UntilAsked(ctx, dir)
	defer cancel()
	var w trainer.Worker
	defer w.Close()
	_, err = trainAttempt(ctx, &w, dir, events)
	return err
}

// work trains the folder's attempt, and those that the coordinator hands over.
func work(ctx context.Context, folder string, eventsFD, coordinatorFD int) error {
	dir, err := filepath.Abs(folder)
	if err != nil {
		return err
	}
	if eventsFD == 0 { // a person, who may have the folder from elsewhere
		if err := checkSpec(dir); err != nil {
			return err
		}
	}
	events, err := openEvents(dir, eventsFD)
	if err != nil {
		return err
	}
	if coordinatorFD == 0 {
		defer events.Close() //nolint:errcheck // synced by Emit; closing releases the lock as the process's end would
		var w trainer.Worker
		defer w.Close()
		_, err := trainAttempt(ctx, &w, dir, events)
		return err
	}
	coordinator, err := local.OpenCoordinator(coordinatorFD)
	if err != nil {
		return err
	}
	return trainAll(ctx, coordinator, dir, events)
}

// trainAll trains the attempt, and those that the coordinator hands over after it. The last one's event log, which Emit has synced, stays
// locked until the process ends.
func trainAll(ctx context.Context, coordinator local.Coordinator, dir string, events *os.File) error {
	var w trainer.Worker
	defer w.Close()
	for {
		again, err := trainAttempt(ctx, &w, dir, events)
		if err != nil || !again || ctx.Err() != nil {
			return err
		}
		var ok bool
		if dir, events, ok, err = coordinator.Next(ctx, events); err != nil || !ok {
			return err
		}
	}
}

// openEvents returns the attempt's locked event log: the inherited one, or its own where no coordinator made one.
func openEvents(dir string, fd int) (*os.File, error) {
	if fd == 0 {
		return trial.LockEvents(dir)
	}
	syscall.CloseOnExec(fd)
	return os.NewFile(uintptr(fd), filepath.Join(dir, trial.EventsFile)), nil
}

func writePID(path string) error {
	f, err := trial.OpenFile(path, os.O_WRONLY|os.O_TRUNC)
	if err != nil {
		return err
	}
	_, err = f.WriteString(strconv.Itoa(os.Getpid()))
	return errors.Join(err, f.Close())
}

// trainAttempt trains the folder's assignment. again reports whether the worker can take another.
func trainAttempt(ctx context.Context, w *trainer.Worker, dir string, events *os.File) (again bool, err error) {
	// First of all the process id: from here on the attempt can be asked to stop.
	if err := writePID(filepath.Join(dir, trial.PIDFile)); err != nil {
		return false, err
	}
	a, err := trial.ReadAssignment(dir)
	if err != nil {
		return false, err
	}
	log, err := trial.NewEventLog(events)
	if err != nil {
		return false, err
	}
	return w.Run(ctx, a, dir, func(e trial.Event) error {
		if e.Environment != nil && version != unreleased { // the build information does not know it
			e.Environment.Versions["program"] = version
		}
		return log.Emit(e)
	})
}

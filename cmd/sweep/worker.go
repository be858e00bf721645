package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/ranksweep/ranksweep/sweep/trial"
	"github.com/ranksweep/ranksweep/trainer"
)

func newWorkerCommand(*app) *cobra.Command {
	var eventsFD int
	cmd := &cobra.Command{
		Use:   "worker DIR",
		Short: "Train one attempt: what a coordinator starts in its own process",
		Long: "worker trains the attempt that DIR/spec.json describes and appends its events to DIR/events.jsonl.\n" +
			"Coordinators start it; by hand it repeats one attempt.",
		Args:   cobra.ExactArgs(1),
		Hidden: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, stop := signal.NotifyContext(cmd.Context(), syscall.SIGTERM, os.Interrupt)
			defer stop()
			dir, err := filepath.Abs(args[0])
			if err != nil {
				return err
			}
			events, err := openEvents(dir, eventsFD)
			if err != nil {
				return err
			}
			defer events.Close() //nolint:errcheck // synced by Emit; closing releases the lock as the process's end would
			return trainAttempt(ctx, dir, events)
		},
	}
	cmd.Flags().IntVar(&eventsFD, "events-fd", 0, "inherited descriptor of the locked event log")
	return cmd
}

// openEvents returns the attempt's locked event log: the inherited one, or its own where no coordinator made one.
func openEvents(dir string, fd int) (*os.File, error) {
	if fd == 0 {
		return trial.LockEvents(dir)
	}
	syscall.CloseOnExec(fd)
	return os.NewFile(uintptr(fd), filepath.Join(dir, trial.EventsFile)), nil
}

// trainAttempt runs the trainer on the folder's assignment.
func trainAttempt(ctx context.Context, dir string, events *os.File) error {
	// First of all the process id: from here on the attempt can be asked to stop.
	if err := os.WriteFile(filepath.Join(dir, trial.PIDFile), []byte(strconv.Itoa(os.Getpid())), 0o644); err != nil {
		return err
	}
	body, err := os.ReadFile(filepath.Join(dir, trial.SpecFile))
	if err != nil {
		return err
	}
	var a trial.Assignment
	if err := json.Unmarshal(body, &a); err != nil {
		return fmt.Errorf("read %s: %w", filepath.Join(dir, trial.SpecFile), err)
	}
	log, err := trial.NewEventLog(events)
	if err != nil {
		return err
	}
	return trainer.Run(ctx, a, dir, func(e trial.Event) error {
		if e.Environment != nil && version != unreleased { // the build information does not know it
			e.Environment.Versions["program"] = version
		}
		return log.Emit(e)
	})
}

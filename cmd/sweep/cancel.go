package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/ranksweep/ranksweep/sweep"
)

func newCancelCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "cancel [NAME]",
		Short: "Checkpoint and stop a sweep that runs elsewhere (without NAME the one that runs)",
		Long: `cancel does from any terminal what Ctrl-C does where the sweep runs: the workers write their checkpoints and end, and the
coordinator ends with exit code 75. Nothing is lost: 'sweep resume NAME' continues from there. It waits until the coordinator has
ended. Where none works on the sweep, workers that outlived theirs are stopped.

Without NAME it takes the sweep that a coordinator works on, and where none is worked on, the latest. Where several are, name one.`,
		Example: `  sweep cancel
  sweep cancel gpt2-notes
  sweep resume gpt2-notes`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return a.cancel(cmd.Context(), strings.Join(args, "")) },
	}
}

// cancelPatience is how long the coordinator may take to end: a checkpoint of a large model takes a while to reach its disk.
const cancelPatience = 2 * time.Minute

func (a *app) cancel(ctx context.Context, name string) error {
	return a.askingWorked(ctx, "cancel", name, func(s subject) error {
		if !s.worked {
			stopped, err := a.stopWorkers(ctx, s)
			if err != nil {
				return err
			}
			if stopped > 0 {
				a.say("no coordinator works on sweep %s; %s that outlived theirs will checkpoint and end", s.name(), plural(stopped, "worker"))
				return nil
			}
			why := "no coordinator works on it"
			if s.finished() {
				why = "it is finished"
			}
			a.say("sweep %s was not cancelled: %s, and nothing of it runs", s.name(), why)
			return nil
		}
		return a.cancelWorked(ctx, s)
	})
}

// cancelWorked cancels a sweep that a coordinator worked on a moment ago. It may have come to its end since.
func (a *app) cancelWorked(ctx context.Context, s subject) error {
	err := s.db.Ask(ctx, s.snapshot.Sweep.ID, sweep.RequestCancel, time.Now().UTC())
	if ended := errors.Is(err, sweep.ErrNotFound); ended {
		a.say("sweep %s was not cancelled: its coordinator has just ended by itself; how it stands: %s", s.name(),
			a.commandOn("status", s.name()))
		return nil
	}
	if err == nil {
		err = a.awaitEnd(ctx, s)
	}
	if err != nil {
		return err
	}
	if s.snapshot, err = s.db.Snapshot(ctx, s.snapshot.Sweep.ID); err != nil {
		return err
	}
	if s.finished() {
		a.say("sweep %s was not cancelled: it has just finished; its report: %s", s.name(), a.commandOn("report", s.name()))
		return nil
	}
	a.say("sweep %s is cancelled; nothing is lost: continue with: %s", s.name(), a.resumeCommand(s.name()))
	return nil
}

// awaitEnd waits until no coordinator works on the sweep any more.
func (a *app) awaitEnd(ctx context.Context, s subject) error {
	const every = 100 * time.Millisecond
	ctx, end := context.WithTimeout(ctx, cancelPatience)
	defer end()
	for {
		working, err := worked(ctx, s.db, s.snapshot.Sweep.ID)
		if err != nil || !working {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("sweep %s was asked to stop, and its coordinator has not ended yet: %s shows what it waits for",
				s.name(), a.commandOn("status", s.name()))
		case <-time.After(every):
		}
	}
}

// stopWorkers asks the workers of a sweep that no coordinator works on to end, and returns how many there are.
func (a *app) stopWorkers(ctx context.Context, s subject) (stopped int, err error) {
	living, err := a.leftWorkers(ctx, s.db, s.snapshot)
	if err != nil || len(living) == 0 {
		return 0, err
	}
	workers, err := a.executor.open(a.root, sweep.Capacity{Jobs: 1})
	if err != nil {
		return 0, err
	}
	for _, id := range living {
		if err := workers.Stop(ctx, id, false); err != nil {
			return stopped, errors.Join(err, release(workers))
		}
		stopped++
	}
	return stopped, release(workers)
}

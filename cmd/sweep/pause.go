package main

import (
	"context"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/ranksweep/ranksweep/store"
	"github.com/ranksweep/ranksweep/sweep"
)

func newPauseCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "pause [NAME]",
		Short: "Start no further trial of a sweep (without NAME the one that runs)",
		Long: `pause asks the sweep to start nothing new, from a terminal beside the one where it runs. Trials that run go on to their end. The
coordinator stays, says that it is paused, and waits: 'sweep resume NAME', typed here, lets it go on. Its time goes on to count
against limits.time; 'sweep cancel' ends it instead.

The request is kept: it holds until the sweep is resumed, also where no coordinator works on it.

Without NAME it takes the sweep that a coordinator works on, and where none is worked on, the latest. Where several are, name one.`,
		Example: `  sweep pause
  sweep pause gpt2-notes
  sweep resume gpt2-notes`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return a.pause(cmd.Context(), strings.Join(args, "")) },
	}
}

func (a *app) pause(ctx context.Context, name string) error {
	return a.askingWorked(ctx, "pause", name, func(s subject) error {
		switch {
		case s.finished():
			a.say("sweep %s is finished; there is nothing to pause", s.name())
			return nil
		case s.snapshot.Sweep.Asked.Paused:
			a.say("sweep %s is paused already; it goes on with: %s", s.name(), a.resumeCommand(s.name()))
			return nil
		}
		if err := s.db.Ask(ctx, s.snapshot.Sweep.ID, sweep.RequestPause, time.Now().UTC()); err != nil {
			return err
		}
		running := "what runs goes on to its end, "
		if !s.worked {
			running = "no coordinator works on it, "
		}
		a.keepAsked(ctx, s.db, s.snapshot.Sweep.ID)
		a.say("sweep %s is paused: %snothing new starts; it goes on with: %s", s.name(), running, a.resumeCommand(s.name()))
		return nil
	})
}

// liftPause is resume of a paused sweep that a coordinator works on: it goes on there. It reports whether there was one.
func (a *app) liftPause(ctx context.Context, db *store.DB, info sweep.Info) (bool, error) {
	if working, err := worked(ctx, db, info.ID); err != nil || !working || !info.Asked.Paused {
		return false, err
	}
	if err := db.Ask(ctx, info.ID, sweep.RequestResume, time.Now().UTC()); err != nil {
		return false, err
	}
	a.keepAsked(ctx, db, info.ID)
	a.say("sweep %s goes on where it runs", info.Name)
	return true, nil
}

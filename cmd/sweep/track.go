package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/ranksweep/ranksweep/store"
	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/track"
)

func newTrackCommand(a *app) *cobra.Command {
	var to []string
	cmd := &cobra.Command{
		Use:   "track [NAME]",
		Short: "Send a sweep to " + strings.Join(trackerNames(), ", ") + " (the latest without NAME)",
		Long: `track sends a sweep's trials, curves and verdicts to the tools of --to, or of the setting track: what they do not have yet,
of a sweep that is finished, interrupted or still running. Sent again, nothing is there twice. sweep run --track does it while a
sweep runs, and names this command where a tool was away. See sweep help tools.

The exit code is 1 where something could not be sent.`,
		Example: `  sweep track
  sweep track gpt2-notes --to tensorboard:runs/tensorboard`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			trackers := a.trackers
			if len(to) > 0 {
				var err error
				if trackers, err = parseTrackers(to, a.root); err != nil {
					return err
				}
			}
			if len(trackers) == 0 {
				return usagef("say where with --to: %s", trackerForms())
			}
			ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
			defer stop()
			return a.track(ctx, strings.Join(args, ""), trackers)
		},
	}
	cmd.Flags().StringArrayVar(&to, "to", nil, "`TOOL:WHERE`: "+trackerForms()+"; repeatable (default: the setting track)")
	return cmd
}

// trackView is what track prints.
type trackView struct {
	Sweep   string        `json:"sweep"`
	Targets []trackTarget `json:"targets"`
}

type trackTarget struct {
	Target string `json:"target"` // without a password
	Unsent int    `json:"unsent"` // runs
	Error  string `json:"error,omitempty"`
}

// track sends a sweep to each of the tools once.
func (a *app) track(ctx context.Context, name string, trackers []tracker) error {
	return inSweep(ctx, a.openReadOnly, name, func(db *store.DB, info sweep.Info) error {
		view := trackView{Sweep: info.Name}
		failed := 0
		for _, t := range trackers {
			sent := a.trackTo(ctx, db, info, t)
			if sent.Error != "" {
				failed++
			}
			view.Targets = append(view.Targets, sent)
		}
		if err := a.emit("track", view, view.text, nil); err != nil {
			return err
		}
		if failed > 0 {
			return fmt.Errorf("%d of %s could not be brought up to date; the same command sends the rest", failed, plural(len(trackers), "target"))
		}
		return nil
	})
}

func (a *app) trackTo(ctx context.Context, db *store.DB, info sweep.Info, t tracker) trackTarget {
	unsent, err := a.trackOnce(t, info.Name, func(sink track.Sink) (int, error) {
		f := track.Follower{Store: db, Sweep: info.ID, Sink: sink, Name: t.name(), Say: a.say}
		return f.Look(ctx)
	})
	sent := trackTarget{Target: t.name(), Unsent: unsent}
	if err != nil {
		sent.Error = err.Error()
	}
	return sent
}

func (v trackView) text(w io.Writer) error {
	rows := [][]string{}
	for _, t := range v.Targets {
		state := "up to date"
		if t.Error != "" {
			state = t.Error
		}
		rows = append(rows, []string{t.Target, strconv.Itoa(t.Unsent), state})
	}
	return writeTable(w, []string{"target", "unsent runs", "state"}, rows)
}

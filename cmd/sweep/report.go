package main

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/ranksweep/ranksweep/store"
	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/report"
)

func newReportCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "report [NAME]",
		Short: "Print a sweep's recommendation, verdicts and numbers (the latest without NAME)",
		Long: `report prints one recommendation, then every ladder: loss, gain, interval, decision, parameters, memory and time per
rank, and its verdict with the reason, the numbers behind it and what it holds at (alpha, scaling, learning rate, tokens).

The verdicts are computed from the recorded facts each time. A report may be printed while the sweep is running; it then
says what is still missing. -o json has every number in full precision, -o csv one row per trial.`,
		Example: `  sweep report
  sweep report gpt2-notes -o json
  sweep report -o csv --out trials.csv`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := a.readSnapshot(cmd.Context(), strings.Join(args, ""))
			if err != nil {
				return err
			}
			return a.printReport(s)
		},
	}
}

// printReport writes the report of a snapshot in the format of -o.
func (a *app) printReport(s sweep.Snapshot) error {
	r := report.Build(s)
	switch a.output {
	case "json":
		return a.write(r.JSON)
	case "csv":
		return a.write(r.CSV)
	}
	return a.write(func(w io.Writer) error { return r.Text(w, a.textOptions(w)) })
}

// readSnapshot reads the facts of the sweep of that name, or of the latest, without writing anything.
func (a *app) readSnapshot(ctx context.Context, name string) (s sweep.Snapshot, err error) {
	db, err := store.OpenReadOnly(ctx, filepath.Join(a.root, "sweep.db"))
	if err != nil {
		return sweep.Snapshot{}, notFound(err)
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	info, err := db.Find(ctx, name)
	if err != nil {
		return sweep.Snapshot{}, notFound(err)
	}
	return db.Snapshot(ctx, info.ID)
}

// notFound gives sweep.ErrNotFound its exit code.
func notFound(err error) error {
	if errors.Is(err, sweep.ErrNotFound) {
		return withCode(exitNotFound, err)
	}
	return err
}

// textOptions fits text to the terminal it goes to; elsewhere it is plain and 100 columns wide.
func (a *app) textOptions(w io.Writer) report.Options {
	o := report.Options{Width: 100}
	f, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return o
	}
	if width, _, err := term.GetSize(int(f.Fd())); err == nil && width > 0 { // some terminals do not know
		o.Width = min(max(width, 40), 120)
	}
	o.Color = os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
	return o
}

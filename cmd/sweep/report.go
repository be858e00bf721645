package main

import (
	"context"
	"errors"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/report"
	"github.com/ranksweep/ranksweep/sweep/report/page"
)

func newReportCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "report [NAME]",
		Short: "Print a sweep's recommendation, verdicts and numbers (the latest without NAME)",
		Long: `report prints one recommendation, then every ladder: loss, gain, interval, decision, parameters, memory and time per
rank, and its verdict with the reason, the numbers behind it and what it holds at (alpha, scaling, learning rate, tokens).

The verdicts are computed from the recorded facts each time. A report may be printed while the sweep is running; it then
says what is still missing. -o json has every number in full precision, -o csv one row per trial, -o md what a pull request needs.
-o html is one file with charts, curves and every trial, which needs no network. A terminal that is too narrow for a
ladder's table loses columns: tokens first, then strikes, over, forgetting, what was screened, params, time, memory and gain.`,
		Example: `  sweep report
  sweep report gpt2-notes -o json
  sweep report -o csv --out trials.csv
  sweep report -o html --out report.html
  sweep report -o md | gh pr comment --body-file -`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := a.readSnapshot(cmd.Context(), strings.Join(args, ""))
			if err != nil {
				return err
			}
			return a.printReport(cmd.Context(), s)
		},
	}
}

// printReport writes the report of a snapshot in the format of -o.
func (a *app) printReport(ctx context.Context, s sweep.Snapshot) error {
	r := report.Build(s)
	switch a.output {
	case "json":
		return a.write(r.JSON)
	case "csv":
		return a.write(r.CSV)
	case "md":
		return a.write(r.Markdown)
	case "html":
		beside, err := a.readBeside(ctx, s.Sweep.ID)
		if err != nil {
			return err
		}
		return a.write(func(w io.Writer) error { return page.Write(w, s, beside) })
	}
	return a.write(func(w io.Writer) error { return r.Text(w, a.textOptions()) })
}

// readBeside reads what a page shows beside a snapshot.
func (a *app) readBeside(ctx context.Context, id int64) (b page.Beside, err error) {
	db, err := a.openReadOnly(ctx)
	if err != nil {
		return b, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if b.TrainLosses, err = db.TrainLosses(ctx, id); err != nil {
		return b, err
	}
	if b.Environments, err = db.Environments(ctx, id); err != nil {
		return b, err
	}
	b.Updates, err = db.Updates(ctx, id)
	return b, err
}

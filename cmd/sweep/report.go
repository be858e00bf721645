package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/report"
	"github.com/ranksweep/ranksweep/sweep/report/page"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

func newReportCommand(a *app) *cobra.Command {
	var samples string
	cmd := &cobra.Command{
		Use:   "report [NAME]",
		Short: "Print a sweep's recommendation, verdicts and numbers (the latest without NAME)",
		Long: `report prints one recommendation, then every ladder: loss, gain, interval, decision, parameters, memory and time per
rank, and its verdict with the reason, the numbers behind it and what it holds at (alpha, scaling, learning rate, tokens).

The verdicts are computed from the recorded facts each time. A report may be printed while the sweep is running; it then
says what is still missing. -o json has every number in full precision, -o csv one row per trial, -o md what a pull request needs.
-o html is one file with charts, curves and every trial, which needs no network; --samples puts answers of the models into it.
A terminal that is too narrow for a ladder's table loses columns: tokens first, then strikes, over, forgetting, what was screened,
params, time, memory and gain.`,
		Example: `  sweep report
  sweep report gpt2-notes -o json
  sweep report -o csv --out trials.csv
  sweep report -o html --out report.html
  sweep samples -o json --out samples.json && sweep report -o html --samples samples.json --out report.html
  sweep report -o md | gh pr comment --body-file -`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if samples != "" && a.output != "html" {
				return usagef("--samples goes into the page that -o html writes; sweep samples prints them by themselves")
			}
			s, err := a.readSnapshot(cmd.Context(), strings.Join(args, ""))
			if err != nil {
				return err
			}
			if samples != "" {
				return a.printPage(cmd.Context(), s, samples)
			}
			return a.printReport(cmd.Context(), s)
		},
	}
	cmd.Flags().StringVar(&samples, "samples", "", "with -o html: the file that sweep samples -o json wrote, to show in a section")
	return cmd
}

// printReport writes the report of a snapshot in the format of -o.
func (a *app) printReport(ctx context.Context, s sweep.Snapshot) error {
	r := report.Build(s)
	r.Shell = a.shellOf(s.Sweep)
	if !r.Recommendation.Final {
		var err error
		if r.Left, err = a.left(ctx, s.Sweep.ID); err != nil {
			return err
		}
	}
	switch a.output {
	case "json":
		return a.write(r.JSON)
	case "csv":
		return a.write(r.CSV)
	case "md":
		return a.write(r.Markdown)
	case "html":
		return a.printPage(ctx, s, "")
	}
	return a.write(func(w io.Writer) error { return r.Text(w, a.textOptions()) })
}

// left reports whether no coordinator works on the sweep.
func (a *app) left(ctx context.Context, id int64) (left bool, err error) {
	db, err := a.openReadOnly(ctx)
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	works, err := worked(ctx, db, id)
	return !works, err
}

// printPage writes the report as a page, with the samples of a file unless that is empty.
func (a *app) printPage(ctx context.Context, s sweep.Snapshot, samples string) error {
	beside, err := a.readBeside(ctx, s.Sweep.ID)
	if err != nil {
		return err
	}
	beside.Shell = a.shellOf(s.Sweep)
	if samples != "" {
		if beside.Samples, err = readSampleFile(samples, s); err != nil {
			return usagef("--samples %s: %w", samples, err)
		}
	}
	return a.write(func(w io.Writer) error { return page.Write(w, s, beside) })
}

// readSampleFile reads samples that are of the sweep.
func readSampleFile(path string, s sweep.Snapshot) (*report.Samples, error) {
	const most = 64 << 20 // some thousands of texts by some tens of models
	text, err := trial.ReadInputOrPipe(path, most)
	if err != nil {
		return nil, err
	}
	samples, err := report.Build(s).ReadSamples(bytes.NewReader(text))
	return &samples, err
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
	if b.Updates, err = db.Updates(ctx, id); err != nil {
		return b, err
	}
	works, err := worked(ctx, db, id)
	b.Left = !works
	return b, err
}

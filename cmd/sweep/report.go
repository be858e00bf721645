package main

import (
	"io"
	"strings"

	"github.com/spf13/cobra"

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

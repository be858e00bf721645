package main

import (
	"errors"
	"io"

	"github.com/spf13/cobra"

	"github.com/ranksweep/ranksweep/sweep/report"
)

func newExplainCommand(a *app) *cobra.Command {
	var name string
	cmd := &cobra.Command{
		Use:   "explain LADDER",
		Short: "Show the arithmetic behind a ladder's verdict, rank by rank",
		Long: `explain prints, for every rank of a ladder, its gain over the incumbent seed by seed, the noise that was assumed and
where it comes from, the interval, the chance of a worthwhile gain, the decision with its reason, the strikes, and what the
gain cost in parameters, memory and time. Where settings are tuned at each rank (train.tune), it also lists every candidate
with its mean loss and its cost, says which one stands for the rank, and whether it lies at the edge of its list.

LADDER is a number as 'sweep report' shows it, id=N for an id of the database's views, or settings that only one ladder has.`,
		Example: `  sweep explain 1
  sweep explain dropout=0.1,learning_rate=0.001
  sweep explain 2 --sweep gpt2-notes -o json`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := a.readSnapshot(cmd.Context(), name)
			if err != nil {
				return err
			}
			e, err := report.Build(s).Explain(args[0])
			if errors.Is(err, report.ErrAmbiguous) {
				return withCode(exitUsage, err)
			}
			if err != nil {
				return notFound(err)
			}
			return a.emit("explain", e, func(w io.Writer) error { return e.Text(w, a.textOptions(w)) }, nil)
		},
	}
	cmd.Flags().StringVar(&name, "sweep", "", "the sweep's name (default: the latest)")
	return cmd
}

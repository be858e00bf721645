package main

import (
	"context"
	"errors"
	"io"

	"github.com/spf13/cobra"

	"github.com/ranksweep/ranksweep/store"
	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/report"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

func newExplainCommand(a *app) *cobra.Command {
	var name string
	cmd := &cobra.Command{
		Use:   "explain LADDER",
		Short: "Show the arithmetic behind a ladder's verdict, rank by rank",
		Long: `explain shows which modules the recommended rank's adapters change most: the Frobenius norm of scaling·B·A, and its stable rank
(how many directions carry it). Then it prints, for every rank of a ladder, its gain over the incumbent seed by seed, the noise that was
assumed and where it comes from, the interval, the chance of a worthwhile gain, the decision with its reason, the strikes, and what
the gain cost in parameters, memory and time. Where settings are tuned at each rank (train.tune), it also lists every candidate with
its mean loss and its cost, says which one stands for the rank, and whether it lies at the edge of its list.

LADDER is a number as 'sweep report' shows it, id=N for an id of the database's views, or settings that only one ladder has.`,
		Example: `  sweep explain 1
  sweep explain dropout=0.1,learning_rate=0.001
  sweep explain 2 --sweep gpt2-notes -o json`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			s, updates, err := a.readWithUpdates(cmd.Context(), name)
			if err != nil {
				return err
			}
			r := report.Build(s)
			r.Shell = a.shellOf(s.Sweep)
			e, err := r.Explain(args[0])
			if errors.Is(err, report.ErrAmbiguous) {
				return withCode(exitUsage, err)
			}
			if err != nil {
				return notFound(err)
			}
			e = e.WithUpdates(updates)
			return a.emit("explain", e, func(w io.Writer) error { return e.Text(w, a.textOptions()) }, nil)
		},
	}
	cmd.Flags().StringVar(&name, "sweep", "", "the sweep's name (default: the latest)")
	return cmd
}

// readWithUpdates reads a sweep's facts with what its trials' adapters add to the weights.
func (a *app) readWithUpdates(ctx context.Context, name string) (s sweep.Snapshot, u map[trial.ID][]trial.ModuleUpdate, err error) {
	err = inSweep(ctx, a.openReadOnly, name, func(db *store.DB, info sweep.Info) (err error) {
		if s, err = db.Snapshot(ctx, info.ID); err != nil {
			return err
		}
		u, err = db.Updates(ctx, info.ID)
		return err
	})
	return s, u, err
}

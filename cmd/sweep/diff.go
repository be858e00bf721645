package main

import (
	"context"
	"errors"
	"io"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/ranksweep/ranksweep/sweep/report"
)

func newDiffCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "diff A B",
		Short: "Compare two sweeps: settings, the loss of each rank, memory, time and what they recommend",
		Long: `diff prints the settings in which sweep B differs from sweep A, and for each rank that both have finished the difference of
val_loss, paired by seed, with its interval, and those of memory and training time. Then it says what each sweep recommends, and
which ranks and seeds only one of them has.

Ladders are paired by their cells. A setting that has one value in each sweep may differ: that is what is compared. An axis, which
has several values in one of them, must agree. The training data may differ, the validation rows may not: losses on other validation
tokens are never subtracted. Where none of the ladders were scored on the same ones, diff says so and fails (exit 2).`,
		Example: `  sweep diff gpt2-notes gpt2-notes-lr
  sweep diff gpt2-notes gpt2-notes-lr -o json`,
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			d, err := a.diff(cmd.Context(), args[0], args[1])
			if err != nil {
				return err
			}
			return a.emit("diff", d, func(w io.Writer) error { return d.Text(w, a.textOptions()) },
				func() ([]string, [][]string) { return diffRows(d) })
		},
	}
}

func (a *app) diff(ctx context.Context, of, with string) (report.Diff, error) {
	from, err := a.readSnapshot(ctx, of)
	if err != nil {
		return report.Diff{}, err
	}
	to, err := a.readSnapshot(ctx, with)
	if err != nil {
		return report.Diff{}, err
	}
	d, err := report.NewDiff(from, to)
	if errors.Is(err, report.ErrIncomparable) {
		err = withCode(exitUsage, err)
	}
	return d, err
}

// diffRows has one row per rank that both sweeps have finished.
func diffRows(d report.Diff) (header []string, rows [][]string) {
	header = []string{
		"ladder_a", "ladder_b", "cell", "rank", "seeds", "val_loss_a", "val_loss_b", "difference", "difference_lo", "difference_hi",
		"peak_bytes_difference", "train_seconds_difference",
	}
	for _, l := range d.Ladders {
		for _, r := range l.Ranks {
			rows = append(rows, []string{
				strconv.Itoa(l.LadderA), strconv.Itoa(l.LadderB), l.Cell.Axes(), strconv.Itoa(r.Rank), strconv.Itoa(len(r.Seeds)),
				fullNumber(&r.ValLossA), fullNumber(&r.ValLossB), fullNumber(&r.Difference.Mean), fullNumber(r.Difference.Lo),
				fullNumber(r.Difference.Hi), optional(r.PeakBytes, func(n int64) string { return strconv.FormatInt(n, 10) }),
				fullNumber(r.TrainSeconds),
			})
		}
	}
	return header, rows
}

package main

import (
	"context"
	"io"
	"slices"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/ranksweep/ranksweep/store"
	"github.com/ranksweep/ranksweep/sweep"
)

func newMetricsCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "metrics TRIAL",
		Short: "Print a trial's curve: every optimiser step and every evaluation",
		Long: `metrics prints one point per optimiser step (the unsmoothed loss of its batch before the update, the gradient norm before
clipping) and every evaluation. Where a trial was resumed, a step has the newest attempt's values.
TRIAL is an id as sweep status prints it, or the beginning of one.`,
		Example: `  sweep metrics 3fa1 -o csv > curve.csv
  sweep metrics 3fa1 -o json`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return a.metrics(cmd.Context(), args[0]) },
	}
}

// curve is what metrics prints.
type curve struct {
	Trial  sweep.TrialID `json:"trial"`
	Points []curvePoint  `json:"points"`
	Evals  []curveEval   `json:"evals"`
}

type curvePoint struct {
	Step int `json:"step"`
	sweep.Point
}

type curveEval struct {
	Step       int      `json:"step"`
	ValLoss    float64  `json:"val_loss"`
	RetainLoss *float64 `json:"retain_loss,omitempty"` // where the grid has data.retain
}

func (a *app) metrics(ctx context.Context, prefix string) error {
	c := curve{Points: []curvePoint{}, Evals: []curveEval{}}
	_, err := readTrial(ctx, a, prefix, func(db *store.DB, r store.TrialRecord) error {
		c.Trial = r.Trial.ID
		points, err := db.Points(ctx, c.Trial)
		if err != nil {
			return err
		}
		for _, p := range points {
			c.Points = append(c.Points, curvePoint{Step: p.Step, Point: p.Point})
		}
		evals, err := db.Evals(ctx, c.Trial)
		for _, e := range evals {
			c.Evals = append(c.Evals, curveEval{Step: e.Step, ValLoss: e.ValLoss, RetainLoss: e.RetainLoss})
		}
		return err
	})
	if err != nil {
		return err
	}
	return a.emit("metrics", c, func(w io.Writer) error {
		header, rows := c.rows()
		return writeTable(w, header, rows)
	}, c.rows)
}

// rows has one row per step that has a point, an evaluation, or both.
func (c curve) rows() (header []string, rows [][]string) {
	header = []string{"step", "tokens", "train_loss", "grad_norm", "learning_rate", "val_loss"}
	retain := slices.ContainsFunc(c.Evals, func(e curveEval) bool { return e.RetainLoss != nil })
	if retain {
		header = append(header, "retain_loss")
	}
	points, evals := map[int]curvePoint{}, map[int]curveEval{}
	var steps []int
	for _, p := range c.Points {
		points[p.Step] = p
		steps = append(steps, p.Step)
	}
	for _, e := range c.Evals {
		evals[e.Step] = e
		steps = append(steps, e.Step)
	}
	slices.Sort(steps)
	for _, step := range slices.Compact(steps) {
		row := []string{strconv.Itoa(step), "", "", "", "", ""}
		if p, ok := points[step]; ok {
			row[1], row[2] = strconv.FormatInt(p.Tokens, 10), fullNumber(&p.TrainLoss)
			row[3], row[4] = fullNumber(&p.GradNorm), fullNumber(&p.LearningRate)
		}
		if e, ok := evals[step]; ok {
			row[5] = fullNumber(&e.ValLoss)
			if retain {
				row = append(row, fullNumber(e.RetainLoss))
			}
		} else if retain {
			row = append(row, "")
		}
		rows = append(rows, row)
	}
	return header, rows
}

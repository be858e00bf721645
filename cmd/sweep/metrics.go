package main

import (
	"context"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/ranksweep/ranksweep/store"
	"github.com/ranksweep/ranksweep/sweep/trial"
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
	Trial  trial.ID     `json:"trial"`
	Points []curvePoint `json:"points"`
	Evals  []curveEval  `json:"evals"`
}

type curvePoint struct {
	Step int `json:"step"`
	trial.Point
}

type curveEval struct {
	Step       int     `json:"step"`
	ValLoss    float64 `json:"val_loss"`
	Perplexity float64 `json:"perplexity"` // e to val_loss
	trial.Measures
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
			c.Evals = append(c.Evals, curveEval{
				Step: e.Step, ValLoss: e.ValLoss, Perplexity: math.Exp(e.ValLoss), Measures: e.Measures,
			})
		}
		return err
	})
	if err != nil {
		return err
	}
	return a.emit("metrics", c, c.table, func() ([]string, [][]string) { return c.rows(fullNumber, fullNumber) })
}

func (c curve) table(w io.Writer) error {
	header, rows := c.rows(formatMeasured, formatRate)
	return writeTable(w, header, rows, c.droppable()...)
}

// droppable are the columns that a narrow table of the curve does without, in that order.
func (c curve) droppable() []string {
	names := []string{"tokens", "grad_norm", "learning_rate"}
	for _, column := range c.evalColumns()[1:] {
		names = append(names, column.name)
	}
	return names
}

// formatRate writes a learning rate for people.
func formatRate(v *float64) string { return fmt.Sprintf("%.3g", *v) }

type evalColumn struct {
	name  string
	value func(curveEval) *float64
}

// evalColumns are those of the table that an evaluation fills: val_loss, and what was measured beside it.
func (c curve) evalColumns() []evalColumn {
	columns := []evalColumn{{"val_loss", func(e curveEval) *float64 { return &e.ValLoss }}}
	for _, m := range trial.AllMeasures() {
		more := evalColumn{m.Name, func(e curveEval) *float64 { return m.Of(e.Measures) }}
		if slices.ContainsFunc(c.Evals, func(e curveEval) bool { return more.value(e) != nil }) {
			columns = append(columns, more)
		}
	}
	return columns
}

// rows has one row per step that has a point, an evaluation, or both. measured writes losses, norms and shares, rate learning rates.
func (c curve) rows(measured, rate func(*float64) string) (header []string, rows [][]string) {
	header = []string{"step", "tokens", "train_loss", "grad_norm", "learning_rate"}
	columns := c.evalColumns()
	for _, column := range columns {
		header = append(header, column.name)
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
		row := []string{strconv.Itoa(step), "", "", "", ""}
		if p, ok := points[step]; ok {
			row[1], row[2] = strconv.FormatInt(p.Tokens, 10), measured(&p.TrainLoss)
			row[3], row[4] = measured(&p.GradNorm), rate(&p.LearningRate)
		}
		e, ok := evals[step]
		for _, column := range columns {
			text := ""
			if ok {
				text = measured(column.value(e))
			}
			row = append(row, text)
		}
		rows = append(rows, row)
	}
	return header, rows
}

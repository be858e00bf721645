package main

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/ranksweep/ranksweep/sweep/grid"
	"github.com/ranksweep/ranksweep/sweep/trial"
	"github.com/ranksweep/ranksweep/trainer"
	"github.com/ranksweep/ranksweep/trainer/records"
)

// gridSummary is the result of sweep validate.
type gridSummary struct {
	Grid     string   `json:"grid"` // the file
	Name     string   `json:"name"`
	Models   []string `json:"models"`
	Ladders  int      `json:"ladders"` // one per cell
	Rungs    int      `json:"rungs"`   // over all ladders
	Seeds    int      `json:"seeds"`
	Trials   int      `json:"trials"` // at most: a ladder that reaches its plateau trains fewer
	Warnings []string `json:"warnings"`
}

func newValidateCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "validate GRID.yaml",
		Short: "Check a grid, its models and that its data is there, without training or tokenising",
		Long: `validate reports every problem of a grid file at once, each with file, line and column, then checks target_modules, ranks and
sequence_length against the models' configurations, and looks whether the data files are there, init_adapter fits, and models for
text have a tokenizer. It exits with 2 where something is wrong. Weights are not read, and of data at most each file's first row:
sweep data shows the rows, sweep plan the cost.`,
		Example: `  sweep validate grid.yaml
  sweep validate grid.yaml -o json`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			summary, err := a.summarize(cmd.Context(), args[0])
			if err != nil {
				return asUsage(err)
			}
			for _, w := range summary.Warnings {
				a.say("warning: %s", w)
			}
			return a.emit("validate", summary, summary.table, summary.csv)
		},
	}
}

// expandedGrid is a grid with what its models' configurations say of it.
type expandedGrid struct {
	grid     grid.Grid
	models   map[string]trial.ModelInfo
	refs     []string // of the models, in the grid's order
	ladders  []grid.LadderSpec
	warnings []string
}

// expandGrid reads a grid and the configurations of its models; neither weights nor data.
func (a *app) expandGrid(ctx context.Context, path string) (expandedGrid, error) {
	grid, _, err := readGrid(path)
	if err != nil {
		return expandedGrid{}, err
	}
	dir, err := filepath.Abs(filepath.Dir(path))
	if err != nil {
		return expandedGrid{}, err
	}
	x := expandedGrid{grid: grid, models: map[string]trial.ModelInfo{}, refs: grid.Models(dir)}
	for _, ref := range x.refs {
		o := trainer.InspectOptions{Hub: a.hub(), WithoutWeights: true}
		if x.models[ref], err = trainer.Inspect(ctx, ref, o); err != nil {
			return expandedGrid{}, grid.ErrorAt("model", err)
		}
	}
	x.ladders, x.warnings, err = grid.Expand(dir, x.models)
	return x, err
}

// summarize counts what a grid expands to.
func (a *app) summarize(ctx context.Context, path string) (gridSummary, error) {
	x, err := a.expandGrid(ctx, path)
	if err != nil {
		return gridSummary{}, err
	}
	if err := checkStarts(x.grid, x.ladders, x.models); err != nil {
		return gridSummary{}, err
	}
	for _, l := range x.ladders[:min(1, len(x.ladders))] { // data is no axis
		if err := records.CheckNames(slices.Concat(l.Data.Train, l.Data.Validation, l.Data.Retain)); err != nil {
			return gridSummary{}, err
		}
	}
	if err := checkTokenizers(ctx, x.grid, x.ladders, x.refs, x.models); err != nil {
		return gridSummary{}, err
	}
	s := gridSummary{
		Grid: path, Name: x.grid.Name, Models: x.refs, Seeds: len(x.grid.Seeds), Ladders: len(x.ladders), Warnings: nonNil(x.warnings),
	}
	for _, l := range x.ladders {
		s.Rungs += len(l.Ranks)
		for _, specs := range l.Specs {
			s.Trials += len(specs)
		}
	}
	return s, nil
}

func (s gridSummary) table(w io.Writer) error {
	_, err := fmt.Fprintf(w, "%s: ok\nsweep %s: %s, %s, %s: at most %s\n", s.Grid, s.Name,
		plural(s.Ladders, "ladder"), plural(s.Rungs, "rung"), plural(s.Seeds, "seed"), plural(s.Trials, "trial"))
	return err
}

func (s gridSummary) csv() ([]string, [][]string) {
	return []string{"grid", "name", "ladders", "rungs", "seeds", "trials"},
		[][]string{{s.Grid, s.Name, strconv.Itoa(s.Ladders), strconv.Itoa(s.Rungs), strconv.Itoa(s.Seeds), strconv.Itoa(s.Trials)}}
}

// plural writes a count with its noun: 1 trial, 2 trials.
func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

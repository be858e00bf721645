package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/ranksweep/ranksweep/sweep/trial"
	"github.com/ranksweep/ranksweep/trainer"
	"github.com/ranksweep/ranksweep/trainer/corpus"
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
	Trials   int      `json:"trials"`          // at most: a ladder that reaches its plateau trains fewer
	Forms    []string `json:"forms,omitempty"` // what the data's first rows are made of
	Warnings []string `json:"warnings"`
}

func newValidateCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "validate GRID.yaml",
		Short: "Check a grid, its models and the first rows of its data, without training",
		Long: `validate reports every problem of a grid file at once, each with file, line and column, then checks target_modules, ranks and
sequence_length against the models' configurations, and looks whether the tensors of models and init_adapter are those of their
configurations, and models for text have a tokenizer. It reads the data, says what the rows are made of, and counts rows that are on
both sides or twice on one; data sets of the hub are not fetched. It exits with 2 where something is wrong. Of weights it reads the
headers only: sweep data shows the rows, sweep plan the cost.`,
		Example: `  sweep validate grid.yaml
  sweep validate grid.yaml -o json`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			summary, err := a.summarize(cmd.Context(), args[0])
			if err != nil {
				return asUsage(err)
			}
			for _, line := range summary.Forms {
				a.sayForm(line)
			}
			for _, w := range summary.Warnings {
				a.say("warning: %s", w)
			}
			return a.emit("validate", summary, summary.table, summary.csv)
		},
	}
}

// summarize counts what a grid expands to.
func (a *app) summarize(ctx context.Context, path string) (gridSummary, error) {
	x, err := a.expandGrid(ctx, path)
	if err != nil {
		return gridSummary{}, err
	}
	warnings, err := x.checkWeights()
	if err != nil {
		return gridSummary{}, err
	}
	ofStarts, err := x.planner.CheckStarts(x.ladders)
	if err != nil {
		return gridSummary{}, err
	}
	warnings = append(warnings, ofStarts...)
	d := x.ladders[0].Spec().Data // it is no axis
	if err := records.CheckNames(slices.Concat(d.Train, d.Validation, d.Retain)); err != nil {
		return gridSummary{}, err
	}
	if err := x.planner.CheckText(ctx, x.ladders); err != nil {
		return gridSummary{}, err
	}
	forms, doubts, err := a.lookAtData(ctx, x)
	if err != nil {
		return gridSummary{}, err
	}
	if err := x.checkFractions(ctx); err != nil {
		return gridSummary{}, err
	}
	repeated, err := a.repeated(ctx, x.ladders[0].Model, d)
	if err != nil {
		return gridSummary{}, err
	}
	s := gridSummary{
		Forms: forms, Grid: path, Name: x.grid.Name, Models: x.grid.Models(), Seeds: len(x.grid.Seeds), Ladders: len(x.ladders),
		Warnings: nonNil(slices.Concat(repeated, doubts, x.warnings, warnings)),
	}
	for _, l := range x.ladders {
		s.Rungs += len(l.Rungs)
		for _, r := range l.Rungs {
			s.Trials += len(r.Trials)
		}
		s.Trials += len(l.Reference)
	}
	return s, nil
}

// lookAtData says what the first rows of the data's files are made of, and what to warn of, or what is wrong with them.
func (a *app) lookAtData(ctx context.Context, x expandedGrid) (forms, warnings []string, err error) {
	var errs []error
	told := map[string]bool{}
	for i, m := range x.models() {
		files, err := trainer.Files(m)
		if err != nil {
			return nil, nil, err
		}
		src := corpus.Source{Files: files, Model: m, Spec: x.ladders[0].Spec().Data}
		if i == 0 {
			src.Found = func(line string) { forms = append(forms, line) }
		}
		doubts, err := corpus.FirstRows(ctx, src, x.grid.ErrorAt)
		if err != nil && !told[err.Error()] {
			told[err.Error()] = true
			if i > 0 {
				err = fmt.Errorf("for model %s: %w", m.Reference, err)
			}
			errs = append(errs, err)
		}
		for _, w := range doubts {
			if !slices.Contains(warnings, w) {
				warnings = append(warnings, w)
			}
		}
	}
	return forms, warnings, errors.Join(errs...)
}

// checkFractions looks whether each data.fraction keeps something to train on. Data sets of the hub are not fetched for it.
func (x expandedGrid) checkFractions(ctx context.Context) error {
	checked := map[float64]bool{0: true}
	var errs []error
	for _, l := range x.ladders {
		d := l.Spec().Data
		if checked[d.Fraction] || slices.ContainsFunc(slices.Concat(d.Train, d.Validation, d.Retain), trial.IsHubData) {
			continue
		}
		checked[d.Fraction] = true
		files, err := trainer.Files(l.Model)
		if err != nil {
			return err
		}
		if err := corpus.CheckFraction(ctx, corpus.Source{Files: files, Model: l.Model, Spec: d}); err != nil {
			errs = append(errs, x.grid.ErrorAt("data.fraction", err))
		}
	}
	return errors.Join(errs...)
}

// repeated says which rows are on both sides, or twice on one. Data sets of the hub are not fetched for it.
func (a *app) repeated(ctx context.Context, m trial.ModelInfo, d trial.DataSpec) ([]string, error) {
	if slices.ContainsFunc(slices.Concat(d.Train, d.Validation, d.Retain), trial.IsHubData) {
		return nil, nil
	}
	files, err := trainer.Files(m)
	if err != nil {
		return nil, err
	}
	show, done := a.byteProgress("reading the data")
	defer done()
	return corpus.Duplicates(ctx, corpus.Source{Files: files, Model: m, Spec: d}, show)
}

// models are those of the ladders, each once.
func (x expandedGrid) models() []trial.ModelInfo {
	var models []trial.ModelInfo
	for _, l := range x.ladders {
		if !slices.ContainsFunc(models, func(m trial.ModelInfo) bool { return m.Reference == l.Model.Reference }) {
			models = append(models, l.Model)
		}
	}
	return models
}

// checkWeights looks at the headers of every model's weights.
func (x expandedGrid) checkWeights() ([]string, error) {
	var warnings []string
	var errs []error
	for _, m := range x.models() {
		warning, err := trainer.CheckWeights(m)
		if err != nil {
			errs = append(errs, x.grid.ErrorAt("model", err))
		}
		if warning != "" {
			warnings = append(warnings, warning)
		}
	}
	return warnings, errors.Join(errs...)
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

package main

import (
	"context"
	"fmt"
	"io"
	"math"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
	"unicode"

	"github.com/spf13/cobra"

	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/grid"
	"github.com/ranksweep/ranksweep/sweep/starter"
	"github.com/ranksweep/ranksweep/sweep/trial"
	"github.com/ranksweep/ranksweep/trainer"
	"github.com/ranksweep/ranksweep/trainer/backend"
	"github.com/ranksweep/ranksweep/trainer/corpus"
)

// initFlags are what a first grid is asked for.
type initFlags struct {
	name, model      string
	data, validation []string
	columns          map[string]string
	budget           time.Duration
	skip, force      bool
	skipBadRows      bool
}

// initView is the result of sweep init.
type initView struct {
	Grid     string         `json:"grid"` // the file's text
	Chosen   []starter.Line `json:"chosen"`
	Seconds  *float64       `json:"seconds"` // at most; null where nothing was measured
	Fits     bool           `json:"fits"`    // into --time
	Warnings []string       `json:"warnings"`
}

// surveyRows is how many rows init looks at: enough for quantiles, few enough for a first minute.
const surveyRows = 20000

func newInitCommand(a *app) *cobra.Command {
	var f initFlags
	cmd := &cobra.Command{
		Use:   "init --model MODEL --data FILE",
		Short: "Write a first grid for a model and data, fitted to this machine",
		Long: `init reads the model's configuration and the data, trains a few real steps to see what this machine can do, and writes a grid
with a reason beside every choice: rows as long as 95 % of the data need, a batch that fits into memory, with gradient
checkpointing where nothing else does, ranks, seeds and steps that fit into --time. Go on with sweep validate, data, plan and run.

The grid goes to stdout, or to the file of --out, which is not overwritten without --force. Paths in it are relative to that file.`,
		Example: `  sweep init --model Qwen/Qwen2.5-0.5B-Instruct --data chats.jsonl --out grid.yaml
  sweep init --model ./my-llama --data alpaca.json --time 30m --out grid.yaml
  sweep init --model ./my-llama --data faq.csv --columns prompt=question,completion=reply --skip-bad-rows --out grid.yaml
  sweep init --model builtin:gopher --data builtin:go-doc --no-calibrate`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM) // a calibrating worker must end too
			defer stop()
			return a.init(ctx, f)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&f.model, "model", "", "hub id, folder, file.gguf or builtin:<name>")
	flags.StringArrayVar(&f.data, "data", nil, "file, glob, hub data set or builtin:<name> to train on; can be repeated")
	flags.StringArrayVar(&f.validation, "validation", nil, "likewise, to validate on (default: hold out a share of --data)")
	flags.StringToStringVar(&f.columns, "columns", nil, "what the files call a column, as `ours=theirs`: prompt=question,completion=reply")
	flags.BoolVar(&f.skipBadRows, "skip-bad-rows", false, "leave out rows that cannot be read")
	flags.StringVar(&f.name, "name", "", "name of the sweep (default: from model and data)")
	flags.DurationVar(&f.budget, "time", 2*time.Hour, "how long the sweep may take")
	flags.BoolVar(&f.skip, "no-calibrate", false, "do not train: steps are not fitted to the time")
	flags.BoolVar(&f.force, "force", false, "overwrite the file of --out")
	return cmd
}

func (a *app) init(ctx context.Context, f initFlags) error {
	switch {
	case f.model == "" || len(f.data) == 0:
		return usagef("want --model and --data, for instance: sweep init --model builtin:gopher --data builtin:go-doc")
	case f.budget <= 0:
		return usagef("--time %s: want a time such as 2h or 30m", f.budget)
	}
	if _, err := os.Stat(a.out); a.out != "" && err == nil && !f.force {
		return usagef("%s is there already: --force overwrites it", a.out)
	}
	view, err := a.firstGrid(ctx, f)
	if err != nil {
		return asUsage(err)
	}
	for _, w := range view.Warnings {
		a.say("warning: %s", w)
	}
	text := func(w io.Writer) error { _, err := io.WriteString(verbatim(w), view.Grid); return err }
	if err := a.emit("init", view, text, nil); err != nil {
		return err
	}
	if a.out != "" && a.output == outputFormats[0] {
		for _, l := range view.Chosen {
			if l.Why != "" {
				a.say("%s: %s (%s)", l.Key, l.Value, l.Why)
			}
		}
		a.say("%s is written; look at the rows with: %s; then: %s", a.out, a.commandOn("data", a.out), a.commandOn("run", a.out))
	}
	return nil
}

// firstGrid looks, chooses, measures, and chooses again.
func (a *app) firstGrid(ctx context.Context, f initFlags) (initView, error) {
	facts, warnings, err := a.facts(ctx, f)
	if err != nil {
		return initView{}, err
	}
	choice := starter.Begin(facts)
	view := initView{Warnings: nonNil(warnings)}
	if !f.skip {
		if choice, err = a.fit(ctx, choice); err != nil {
			return initView{}, err
		}
		view.Seconds, view.Fits = new(choice.Seconds), choice.Fits
		if !choice.Fits {
			view.Warnings = append(view.Warnings, choice.Cost())
		}
	}
	view.Grid, view.Chosen = choice.Grid(), choice.Lines()
	if _, err := grid.Parse(a.gridPath(), []byte(view.Grid)); err != nil {
		return initView{}, fmt.Errorf("the grid that init chose: %w", err)
	}
	return view, nil
}

// gridPath is where the grid will stand.
func (a *app) gridPath() string {
	if a.out != "" {
		return a.out
	}
	return "grid.yaml"
}

// facts reads the model's configuration and the data.
func (a *app) facts(ctx context.Context, f initFlags) (starter.Facts, []string, error) {
	here, err := os.Getwd()
	if err != nil {
		return starter.Facts{}, nil, err
	}
	ref, train, validation := trial.ResolveModel(here, f.model), trial.ResolveData(here, f.data), trial.ResolveData(here, f.validation)
	m, err := trainer.Inspect(ctx, ref, trainer.InspectOptions{Hub: a.hub(), WithoutWeights: true})
	if err != nil {
		return starter.Facts{}, nil, err
	}
	memory, err := backend.HostMemory()
	if err != nil {
		return starter.Facts{}, nil, err
	}
	facts := starter.Facts{
		Name: f.name, Model: ref, Params: m.Params, Positions: m.MaxPositions, MostRank: narrowest(m), Budget: f.budget, Memory: memory,
		Data: train, Validation: validation, Columns: f.columns, SkipBadRows: f.skipBadRows,
	}
	if facts.Name == "" {
		facts.Name = nameOf(ref) + "-" + nameOf(train[0])
	}
	survey, warnings, err := a.survey(ctx, m, facts)
	if err != nil {
		return starter.Facts{}, nil, err
	}
	facts.Rows = starter.Rows{Count: len(survey.Lengths), Lengths: survey.Lengths, Packed: survey.Packed, Complete: survey.Complete}
	dir, err := filepath.Abs(filepath.Dir(a.gridPath()))
	if err != nil {
		return starter.Facts{}, nil, err
	}
	facts.Model = inGrid(dir, f.model, ref)
	facts.Data, facts.Validation = slices.Clone(f.data), slices.Clone(f.validation)
	for i, path := range train {
		facts.Data[i] = inGrid(dir, f.data[i], path)
	}
	for i, path := range validation {
		facts.Validation[i] = inGrid(dir, f.validation[i], path)
	}
	return facts, warnings, nil
}

// inGrid is a name as a grid in dir has it: as it was given, but for relative paths.
func inGrid(dir, given, resolved string) string {
	if filepath.IsAbs(given) || !filepath.IsAbs(resolved) {
		return given
	}
	if relative, err := filepath.Rel(dir, resolved); err == nil {
		return relative
	}
	return resolved
}

// nameOf makes a name of a sweep's part: the last part of a path or id, without ending.
func nameOf(ref string) string {
	base := filepath.Base(strings.TrimPrefix(ref, trial.BuiltinPrefix))
	base = strings.TrimSuffix(base, filepath.Ext(base))
	return strings.Trim(strings.Map(func(r rune) rune {
		if r < 0x80 && (unicode.IsLetter(r) || unicode.IsDigit(r)) {
			return unicode.ToLower(r)
		}
		return '-'
	}, base), "-")
}

// narrowest is the smallest full rank of the layers that all-linear adapts.
func narrowest(m trial.ModelInfo) int {
	least := math.MaxInt
	for _, module := range m.Modules {
		if !module.Head && !module.Embedding {
			least = min(least, module.In, module.Out)
		}
	}
	return least
}

// survey looks at the data as the model will see them.
func (a *app) survey(ctx context.Context, m trial.ModelInfo, f starter.Facts) (corpus.Survey, []string, error) {
	files, err := trainer.Files(m)
	if err != nil {
		return corpus.Survey{}, nil, err
	}
	c := starter.Begin(f)
	if _, err := grid.Parse("--columns", []byte(c.Grid())); err != nil && len(f.Columns) > 0 {
		return corpus.Survey{}, nil, err
	}
	spec := trial.DataSpec{
		Train: f.Data, Validation: f.Validation, ValidationSplit: c.Split, SequenceLength: c.SequenceLength, Shuffle: true, Packing: true,
		Columns: f.Columns, SkipBadRows: f.SkipBadRows,
	}
	return corpus.TakeSurvey(ctx, corpus.Source{Files: files, Model: m, Spec: spec, Hub: a.hub()}, surveyRows)
}

// fit measures a few steps, with smaller batches until one fits into memory, or gradient checkpointing, and fits the grid to what it saw.
func (a *app) fit(ctx context.Context, c starter.Choice) (starter.Choice, error) {
	for {
		measured, err := a.measure(ctx, c)
		if err != nil {
			return c, err
		}
		fitted, err := c.Fit(measured)
		smaller, ok := c.Smaller(measured)
		if err == nil || !ok {
			return fitted, err
		}
		c = smaller
	}
}

// measure trains a few steps of the choice's lowest and highest rank.
func (a *app) measure(ctx context.Context, c starter.Choice) (starter.Measured, error) {
	g, err := grid.Parse(a.gridPath(), []byte(c.Grid()))
	if err != nil {
		return starter.Measured{}, fmt.Errorf("the grid that init chose: %w", err)
	}
	dir, err := filepath.Abs(filepath.Dir(a.gridPath()))
	if err != nil {
		return starter.Measured{}, err
	}
	choice, err := a.resolveBackend(ctx, sweep.Info{})
	if err != nil {
		return starter.Measured{}, err
	}
	r, err := a.readInputs(ctx, choice, dir, g)
	if err != nil {
		return starter.Measured{}, err
	}
	capacity, err := localCapacity(choice, a.jobs, r.Parallel())
	if err != nil {
		return starter.Measured{}, err
	}
	ends, err := a.calibrate(ctx, r, sweep.Limits{Memory: capacity.HostBytes}, capacity)
	if err != nil {
		return starter.Measured{}, err
	}
	return starter.Measured{Ends: ends[0], Jobs: capacity.Jobs, TrainRows: r.Ladders[0].Corpus.TrainSequences}, nil
}

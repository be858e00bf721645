package main

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/trial"
	"github.com/ranksweep/ranksweep/trainer"
)

// scoring says which model to score, on which data, and how.
type scoring struct {
	model          string
	data           []string
	sequenceLength int
	packing        bool
	batchSize      int
	dtype          string
	completionOnly bool
}

// evalRequest is the command line of `sweep eval`.
type evalRequest struct {
	scoring
	adapter string

	trial string // the beginning of a trial's id, instead of data
	last  bool
}

func newEvalCommand(a *app) *cobra.Command {
	var r evalRequest
	cmd := &cobra.Command{
		Use:   "eval {--model MODEL [--adapter DIR] --data FILE | --trial ID}",
		Short: "Score a model, with or without an adapter, on a data set",
		Long: `eval computes the mean token cross-entropy (nats) of a model on a data set, its perplexity, and the share of tokens that the
model finds likeliest, dropout off, as a trial's validation does.
Every row is scored once and none is dropped or cut: text is cut into rows of --sequence-length, the last one shorter;
any other row that is longer is an error.

--trial scores a finished trial's adapter on the trial's own validation rows, which a file cannot name where they were split off
or drawn: it gives the recorded val_loss again. With --adapter or --model it scores those on the trial's rows instead.`,
		Example: `  sweep eval --model builtin:gopher --data builtin:go-doc
  sweep eval --model gpt2/ --adapter runs/trials/1f0c/1/adapter --data notes-val.jsonl -o json
  sweep eval --trial 1f0c
  sweep eval --trial 1f0c --model merged/`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if r.trial == "" {
				return a.eval(cmd.Context(), r)
			}
			for _, flag := range []string{"data", "completion-only-loss", "packing", "sequence-length", "batch-size", "dtype"} {
				if cmd.Flags().Changed(flag) {
					return usagef("--%s does not go with --trial, which scores the trial's own rows as the trial did", flag)
				}
			}
			return a.evalTrial(cmd.Context(), r)
		},
	}
	f := cmd.Flags()
	r.addFlags(f)
	f.StringVar(&r.adapter, "adapter", "", "PEFT adapter folder; without it the base model is scored")
	f.StringVar(&r.trial, "trial", "", "score on the validation rows of this trial (an id, or the beginning of one)")
	f.BoolVar(&r.last, "last", false, "with --trial: the adapter of the last step instead of the best evaluation's")
	return cmd
}

// addFlags adds the flags that say what to score.
func (r *scoring) addFlags(f *pflag.FlagSet) {
	f.StringVar(&r.model, "model", "", "hub id, folder, .gguf file, or builtin:<name>")
	f.StringSliceVar(&r.data, "data", nil, "files or built-in data sets, as data.train of a grid")
	f.BoolVar(&r.packing, "packing", true, "pack text documents into rows, without attention from one to another")
	f.IntVar(&r.sequenceLength, "sequence-length", 0, "ids in a row of text (default: the model's positions)")
	f.IntVar(&r.batchSize, "batch-size", 8, "rows in one forward pass")
	f.StringVar(&r.dtype, "dtype", trial.DtypeFloat32, "as train.dtype of a grid: "+strings.Join(trial.Dtypes(), ", "))
	f.BoolVar(&r.completionOnly, "completion-only-loss", true,
		"score only completions and assistant turns, as data.completion_only_loss of a grid")
}

func (a *app) eval(ctx context.Context, r evalRequest) error {
	if r.model == "" || len(r.data) == 0 {
		return usagef("eval needs --model and --data, or --trial (see sweep eval --help)")
	}
	if r.last {
		return usagef("--last goes with --trial; name the folder of the last adapter with --adapter")
	}
	o, err := a.evaluateOptions(ctx, r.scoring)
	if err != nil {
		return err
	}
	o.Adapter = r.adapter
	result, err := trainer.Evaluate(ctx, o)
	if err != nil {
		return asUsage(err)
	}
	return a.writeEvaluation(evalView{Evaluation: result})
}

// evaluateOptions resolves what to score.
func (a *app) evaluateOptions(ctx context.Context, r scoring) (trainer.EvaluateOptions, error) {
	if !slices.Contains(trial.Dtypes(), r.dtype) {
		return trainer.EvaluateOptions{}, usagef("--dtype %s: want one of %s", r.dtype, strings.Join(trial.Dtypes(), ", "))
	}
	dir, err := filepath.Abs(".")
	if err != nil {
		return trainer.EvaluateOptions{}, err
	}
	choice, err := a.resolveBackend(ctx, sweep.Info{})
	if err != nil {
		return trainer.EvaluateOptions{}, asUsage(err)
	}
	info, err := trainer.Inspect(ctx, r.model, trainer.InspectOptions{Hub: a.hub()})
	if err != nil {
		return trainer.EvaluateOptions{}, asUsage(err)
	}
	if r.dtype == trial.DtypeGGUF && len(info.Quantised) == 0 {
		return trainer.EvaluateOptions{}, usagef("--dtype gguf keeps what a GGUF file has quantised, and model %s has nothing quantised", r.model)
	}
	return trainer.EvaluateOptions{
		Model: info, Data: trial.ResolveData(dir, r.data), Hub: a.hub(), ScorePrompts: !r.completionOnly,
		WholeDocuments: !r.packing,
		SequenceLength: r.sequenceLength, BatchSize: r.batchSize, Dtype: r.dtype,
		Backend: choice,
	}, nil
}

// evalView is the result of sweep eval.
type evalView struct {
	trainer.Evaluation
	Trial   string   `json:"trial,omitempty"`
	ValLoss *float64 `json:"val_loss,omitempty"` // that the trial reported for the adapter that was scored
}

func (a *app) writeEvaluation(v evalView) error {
	for _, w := range v.Warnings {
		a.say("warning: %s", w)
	}
	return a.emit("eval", v, v.table, func() ([]string, [][]string) {
		header, row := v.columns()
		return header, [][]string{row}
	})
}

func (v evalView) table(w io.Writer) error {
	header, row := v.columns()
	return writeTable(w, header, [][]string{row}, v.droppable()...)
}

// droppable are the columns that a narrow table does without, in that order.
func (v evalView) droppable() []string {
	names := []string{"sequences", "tokens"}
	for _, m := range slices.Backward(trial.AllMeasures()) {
		names = append(names, m.Name)
	}
	return append(names, "val_loss")
}

// columns has the measures of every evaluation before the counts, and behind them what only some evaluations have.
func (v evalView) columns() (header, row []string) {
	header, row = []string{"loss", "perplexity"}, []string{fmt.Sprintf("%.6f", v.Loss), fmt.Sprintf("%.4f", v.Perplexity)}
	var someHeader, some []string
	for _, m := range trial.AllMeasures() {
		value := m.Of(v.Measures)
		switch {
		case value == nil:
		case m.Always:
			header, row = append(header, m.Name), append(row, fmt.Sprintf("%.4f", *value))
		default:
			someHeader, some = append(someHeader, m.Name), append(some, fmt.Sprintf("%.4f", *value))
		}
	}
	if v.ValLoss != nil {
		someHeader, some = append(someHeader, "val_loss"), append(some, fmt.Sprintf("%.6f", *v.ValLoss))
	}
	header = append(append(header, "tokens", "sequences"), someHeader...)
	return header, append(append(row, strconv.FormatInt(v.Tokens, 10), strconv.Itoa(v.Sequences)), some...)
}

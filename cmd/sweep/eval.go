package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/trainer"
)

// evalRequest is the command line of `sweep eval`.
type evalRequest struct {
	model          string
	adapter        string
	data           []string
	sequenceLength int
	batchSize      int
}

func newEvalCommand(a *app) *cobra.Command {
	var r evalRequest
	cmd := &cobra.Command{
		Use:   "eval --model MODEL [--adapter DIR] --data FILE",
		Short: "Score a model, with or without an adapter, on a data set",
		Long: `eval computes the mean token cross-entropy (nats) of a model on a data set, dropout off, as a trial's validation does.
Every row is scored once and none is dropped or cut: text is cut into rows of --sequence-length, the last one shorter;
a pre-tokenised row that is longer is an error.`,
		Example: `  sweep eval --model builtin:gopher --data builtin:go-doc
  sweep eval --model gpt2/ --adapter runs/trials/1f0c/1/adapter --data notes-val.jsonl -o json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.eval(cmd.Context(), r) },
	}
	f := cmd.Flags()
	f.StringVar(&r.model, "model", "", "hub id, folder, or builtin:<name>")
	f.StringVar(&r.adapter, "adapter", "", "PEFT adapter folder; without it the base model is scored")
	f.StringSliceVar(&r.data, "data", nil, "files or built-in data sets, as data.train of a grid")
	f.IntVar(&r.sequenceLength, "sequence-length", 0, "ids in a row of text (default: the model's positions)")
	f.IntVar(&r.batchSize, "batch-size", 8, "rows in one forward pass")
	return cmd
}

func (a *app) eval(ctx context.Context, r evalRequest) error {
	if r.model == "" || len(r.data) == 0 {
		return usagef("eval needs --model and --data (see sweep eval --help)")
	}
	choice, err := a.resolveBackend(ctx, sweep.Info{})
	if err != nil {
		return asUsage(err)
	}
	info, err := trainer.Inspect(ctx, r.model, trainer.InspectOptions{Hub: a.hub()})
	if err != nil {
		return asUsage(err)
	}
	result, err := trainer.Evaluate(ctx, trainer.EvaluateOptions{
		Model: info, Adapter: r.adapter, Data: r.data, SequenceLength: r.sequenceLength, BatchSize: r.batchSize, Backend: choice,
	})
	if err != nil {
		return asUsage(err)
	}
	return a.writeEvaluation(result)
}

func (a *app) writeEvaluation(e trainer.Evaluation) error {
	for _, w := range e.Warnings {
		a.say("warning: %s", w)
	}
	header := []string{"loss", "perplexity", "tokens", "sequences"}
	row := []string{fmt.Sprintf("%.6f", e.Loss), fmt.Sprintf("%.4f", e.Perplexity), strconv.FormatInt(e.Tokens, 10), strconv.Itoa(e.Sequences)}
	table := func(w io.Writer) error { return writeTable(w, header, [][]string{row}) }
	return a.emit("eval", e, table, func() ([]string, [][]string) { return header, [][]string{row} })
}

// asUsage gives an error that a person has to mend its exit code.
func asUsage(err error) error {
	if errors.Is(err, sweep.ErrInput) {
		return withCode(exitUsage, err)
	}
	return err
}

// hub says where hub models come from, by Hugging Face's own variables; a fetch, which can take minutes, is announced.
func (a *app) hub() trainer.Hub {
	h := trainer.HubFromEnv(os.Getenv)
	h.Notify = func(text string) { a.say("%s", text) }
	return h
}

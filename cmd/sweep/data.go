package main

import (
	"context"
	"io"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ranksweep/ranksweep/trainer"
	"github.com/ranksweep/ranksweep/trainer/corpus"
)

// dataView is the result of sweep data.
type dataView struct {
	Model    string          `json:"model"` // whose tokenizer and limits these rows have
	Samples  []corpus.Sample `json:"samples"`
	Warnings []string        `json:"warnings"`
}

func newDataCommand(a *app) *cobra.Command {
	var limit int
	cmd := &cobra.Command{
		Use:   "data GRID.yaml",
		Short: "Show the training rows as the model will see them",
		Long: `data prints training rows in file order, one sample a row, neither cut nor padded: the text, its token ids, and which of
them are supervised. Packed text is shown as it is packed, a conversation as the model's chat template renders it. Of the model
only configuration and tokenizer are read; of several models in a grid the first.

What a run would refuse (ids beyond the vocabulary, rows without a supervised token) is a warning here, on stderr.`,
		Example: `  sweep data grid.yaml
  sweep data grid.yaml --limit 0 -o json`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if limit < 0 {
				return usagef("--limit %d: want a number of rows, or 0 for all", limit)
			}
			view, err := a.readSamples(cmd.Context(), args[0], limit)
			if err != nil {
				return asUsage(err)
			}
			for _, w := range view.Warnings {
				a.say("warning: %s", w)
			}
			table := func(w io.Writer) error { return writeSamples(verbatim(w), view, a.textOptions().Color) }
			return a.emit("data", view, table, view.csv)
		},
	}
	cmd.Flags().IntVar(&limit, "limit", 5, "rows to show; 0 means all")
	return cmd
}

// readSamples reads the rows of the grid's first ladder.
func (a *app) readSamples(ctx context.Context, path string, limit int) (dataView, error) {
	x, err := a.expandGrid(ctx, path)
	if err != nil {
		return dataView{}, err
	}
	info, spec := x.ladders[0].Model, x.ladders[0].Spec().Data
	files, err := trainer.Files(info)
	if err != nil {
		return dataView{}, err
	}
	samples, warnings, err := corpus.Samples(ctx, corpus.Source{Files: files, Model: info, Spec: spec, Hub: a.hub(), Found: a.sayForm}, limit)
	if err != nil {
		return dataView{}, err
	}
	return dataView{Model: info.Reference, Samples: nonNil(samples), Warnings: nonNil(warnings)}, nil
}

func (v dataView) csv() ([]string, [][]string) {
	rows := make([][]string, len(v.Samples))
	for i, s := range v.Samples {
		rows[i] = []string{strconv.Itoa(i + 1), s.Text, joinIDs(s.InputIDs), joinIDs(s.Labels)}
	}
	return []string{"row", "text", "input_ids", "labels"}, rows
}

func joinIDs(ids []int32) string {
	words := make([]string, len(ids))
	for i, id := range ids {
		words[i] = strconv.Itoa(int(id))
	}
	return strings.Join(words, " ")
}

package planted

import (
	"context"
	"fmt"

	"github.com/ranksweep/ranksweep/sweep/trial"
	"github.com/ranksweep/ranksweep/trainer"
	"github.com/ranksweep/ranksweep/trainer/backend"
	"github.com/ranksweep/ranksweep/trainer/model"
	"github.com/ranksweep/ranksweep/trainer/tokenizer"
	"github.com/ranksweep/ranksweep/trainer/weights"
)

// Options say what to sample.
type Options struct {
	Model      trial.ModelInfo // from trainer.Inspect
	Teacher    Teacher         // Rank 0: the model itself
	AdapterDir string          // where the teacher's adapter is written, as a PEFT folder
	Rows       int
	Length     int // ids in a row; the first is the tokenizer's end-of-text
	Seed       int64
	Backend    backend.Choice
	Progress   func(done int)
}

// calibrationRows of the base's own text say which features a teacher can use.
const calibrationRows = 256

// Rows plants the teacher's adapter and samples rows of token ids from the teacher.
func Rows(ctx context.Context, o Options) ([][]int32, error) {
	start, err := startOfText(o.Model)
	if err != nil {
		return nil, err
	}
	adapter := ""
	if o.Teacher.Rank > 0 {
		adapter = o.AdapterDir
		if err := plant(ctx, o, start); err != nil {
			return nil, fmt.Errorf("plant rank %d: %w", o.Teacher.Rank, err)
		}
	}
	var rows [][]int32
	err = trainer.WithProgram(ctx, trainer.EvaluateOptions{Model: o.Model, Adapter: adapter, Backend: o.Backend},
		func(p *model.Program) error {
			rows, err = Sample(p, o.Model.VocabSize, o.Rows, o.Length, start, o.Seed, o.Progress)
			return err
		})
	return rows, err
}

// startOfText is the id that rows begin with.
func startOfText(m trial.ModelInfo) (int32, error) {
	files, err := trainer.Files(m)
	if err != nil {
		return 0, err
	}
	tokenizer, err := tokenizer.Load(files)
	if err != nil {
		return 0, err
	}
	start, ok := tokenizer.EOS()
	if !ok {
		return 0, fmt.Errorf("model %s has no end-of-text token to start rows with", m.Reference)
	}
	return start, nil
}

// plant writes the teacher's adapter, made for the features that the base has on text of its own.
func plant(ctx context.Context, o Options, start int32) error {
	inputs := map[string]weights.Array{}
	err := trainer.WithProgram(ctx, trainer.EvaluateOptions{Model: o.Model, Backend: o.Backend}, func(p *model.Program) error {
		return observe(p, o, start, inputs)
	})
	if err != nil {
		return err
	}
	adapter, err := o.Teacher.Adapter(inputs)
	if err != nil {
		return err
	}
	return weights.WriteAdapter(o.AdapterDir, adapter)
}

// observe collects what the base gives the teacher's modules on rows that it writes itself.
func observe(p *model.Program, o Options, start int32, inputs map[string]weights.Array) error {
	rows, err := Sample(p, o.Model.VocabSize, calibrationRows, o.Length, start, o.Seed, func(int) {})
	if err != nil {
		return err
	}
	batch := batchOf(rows, o.Length)
	for _, m := range o.Teacher.Targets {
		if inputs[m.Name], err = p.Inputs(batch, m); err != nil {
			return err
		}
	}
	return nil
}

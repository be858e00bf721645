package model

import (
	"errors"
	"fmt"
	"slices"

	"github.com/ranksweep/ranksweep/sweep/trial"
	"github.com/ranksweep/ranksweep/trainer/weights"
)

// TensorSpec is one tensor that a checkpoint must hold, under its canonical name: the one save_pretrained writes. Linear
// weights are [out, in], GPT-2's [in, out], embeddings and the output head [V, C].
type TensorSpec struct {
	Name  string
	Shape []int
}

// Weights describes the model's tensors to a reader of model files.
func (c Config) Weights() weights.Want {
	arch := c.arch()
	w := weights.Want{Shapes: map[string][]int{}, Prefix: arch.prefix, Stored: arch.stored, Ignore: slices.Clone(arch.buffers)}
	for _, t := range c.Tensors() {
		w.Shapes[t.Name] = t.Shape
	}
	if c.TieHead {
		w.TiedHead, w.Tokens = headName+".weight", arch.tokens+".weight"
		w.Ignore = append(w.Ignore, w.TiedHead)
	}
	return w
}

// WeightsFor describes the tensors as a trial's dtype has them.
func (c Config) WeightsFor(dtype string) weights.Want {
	w := c.Weights()
	w.Formats = map[string]string{}
	switch dtype {
	case trial.DtypeGGUF:
		for _, t := range c.Tensors() {
			if len(t.Shape) == 2 {
				w.Formats[t.Name] = weights.AsStored
			}
		}
	case trial.DtypeINT8, trial.DtypeNF4:
		format := map[string]string{trial.DtypeINT8: weights.INT8, trial.DtypeNF4: weights.NF4}[dtype]
		for _, m := range c.Modules() {
			if !m.Embedding && !m.Head {
				w.Formats[m.Name+".weight"] = format
			}
		}
	}
	return w
}

// check reports every tensor of base that is missing or has another shape.
func (c Config) check(base map[string]weights.Array) error {
	var errs []error
	for _, t := range c.Tensors() {
		a, ok := base[t.Name]
		if a.Blocks != nil {
			continue // of the shape that the reader has compared
		}
		switch {
		case !ok:
			errs = append(errs, fmt.Errorf("tensor %s is missing", t.Name))
		case !slices.Equal(a.Shape, t.Shape) || len(a.Data) != size(t.Shape):
			errs = append(errs, fmt.Errorf("tensor %s has shape %v and %d values, want %v", t.Name, a.Shape, len(a.Data), t.Shape))
		}
	}
	if len(errs) > 0 {
		return fmt.Errorf("base weights do not fit config.json: %w", errors.Join(errs...))
	}
	return nil
}

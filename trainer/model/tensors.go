package model

import (
	"errors"
	"fmt"
	"slices"

	"github.com/ranksweep/ranksweep/trainer/weights"
)

// TensorSpec is one tensor that a checkpoint must hold, under its canonical name: the one save_pretrained writes.
type TensorSpec struct {
	Name  string
	Shape []int
}

const (
	tokenEmbedding    = "transformer.wte.weight"
	positionEmbedding = "transformer.wpe.weight"
	untiedHead        = "lm_head.weight"
)

// Tensors lists what a checkpoint must hold, in the model's order. Conv1D weights are [in, out].
func (c Config) Tensors() []TensorSpec {
	C := c.Embed
	all := []TensorSpec{
		{tokenEmbedding, []int{c.VocabSize, C}},
		{positionEmbedding, []int{c.Positions, C}},
	}
	for i := range c.Layers {
		all = append(all, norm(layer(i, "ln_1"), C)...)
		all = append(all, conv1D(layer(i, "attn.c_attn"), C, 3*C)...)
		all = append(all, conv1D(layer(i, "attn.c_proj"), C, C)...)
		all = append(all, norm(layer(i, "ln_2"), C)...)
		all = append(all, conv1D(layer(i, "mlp.c_fc"), C, c.Inner)...)
		all = append(all, conv1D(layer(i, "mlp.c_proj"), c.Inner, C)...)
	}
	all = append(all, norm("transformer.ln_f", C)...)
	if !c.TieHead {
		all = append(all, TensorSpec{untiedHead, []int{c.VocabSize, C}})
	}
	return all
}

func layer(i int, module string) string { return fmt.Sprintf("transformer.h.%d.%s", i, module) }

func norm(module string, width int) []TensorSpec {
	return []TensorSpec{{module + ".weight", []int{width}}, {module + ".bias", []int{width}}}
}

func conv1D(module string, in, out int) []TensorSpec {
	return []TensorSpec{{module + ".weight", []int{in, out}}, {module + ".bias", []int{out}}}
}

// check reports every tensor of base that is missing or has another shape.
func (c Config) check(base map[string]weights.Array) error {
	var errs []error
	for _, t := range c.Tensors() {
		a, ok := base[t.Name]
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

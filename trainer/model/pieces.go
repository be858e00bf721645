package model

import (
	"cmp"

	"github.com/ranksweep/ranksweep/sweep/lora"
)

// piece is a part of a model that holds tensors: a linear module, an embedding, or a norm.
type piece struct {
	lora.Module
	norm bool // Out values per tensor, and no module that LoRA could target
	bias bool // has a bias, [Out]
}

func linearPiece(name string, in, out int, bias bool) piece {
	return piece{Module: lora.Module{Name: name, In: in, Out: out}, bias: bias}
}

// conv1DPiece is transformers' Conv1D: a linear module whose weight is stored [in, out].
func conv1DPiece(name string, in, out int) piece {
	return piece{Module: lora.Module{Name: name, In: in, Out: out, Conv1D: true}, bias: true}
}

func embeddingPiece(name string, entries, width int) piece {
	return piece{Module: lora.Module{Name: name, In: entries, Out: width, Embedding: true}}
}

func normPiece(name string, width int, bias bool) piece {
	return piece{Module: lora.Module{Name: name, Out: width}, norm: true, bias: bias}
}

// headName is the output head's in every architecture of transformers.
const headName = "lm_head"

func headPiece(c Config) piece {
	return piece{Module: lora.Module{Name: headName, In: cmp.Or(c.TokenWidth, c.Embed), Out: c.VocabSize, Head: true}}
}

// tensors lists what a checkpoint holds of the part.
func (p piece) tensors() []TensorSpec {
	shape := []int{p.Out, p.In}
	switch {
	case p.norm:
		shape = []int{p.Out}
	case p.Conv1D, p.Embedding:
		shape = []int{p.In, p.Out}
	}
	specs := []TensorSpec{{p.Name + ".weight", shape}}
	if p.bias {
		specs = append(specs, TensorSpec{p.Name + ".bias", []int{p.Out}})
	}
	return specs
}

// stored lists the pieces that a checkpoint holds: all but a tied head.
func (c Config) stored() []piece {
	var pieces []piece
	for _, p := range c.arch().pieces(c) {
		if !p.Head || !c.TieHead {
			pieces = append(pieces, p)
		}
	}
	return pieces
}

// Tensors lists what a checkpoint must hold, in the model's order.
func (c Config) Tensors() []TensorSpec {
	var all []TensorSpec
	for _, p := range c.stored() {
		all = append(all, p.tensors()...)
	}
	return all
}

// Modules lists the modules that LoRA can target in torch's named_modules order: embeddings, linear modules, the output head.
func (c Config) Modules() []lora.Module {
	var all []lora.Module
	for _, p := range c.arch().pieces(c) {
		if !p.norm {
			all = append(all, p.Module)
		}
	}
	return all
}

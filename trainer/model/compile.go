package model

import (
	"cmp"
	"slices"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"

	"github.com/ranksweep/ranksweep/sweep/lora"
)

// trunk returns the model over graph inputs: the trainable tensors, dropout keys (or nil), and the base followed by PiSSA's start and
// the factors.
// Trainable biases and modules take the base's place; only where one of a tied pair trains does the other stay, as a tensor of its own.
func (p *Program) trunk(adapter []*Node, keys *Node, base []*Node) trunk {
	tensors, quantised := p.frozen.nodes(base)
	named, tokens := p.layout.named(adapter), p.config.arch().tokens+".weight"
	for _, t := range p.trained {
		if t.Tensor == "" {
			continue
		}
		if t.Tensor == tokens && p.config.TieHead {
			if own, ok := quantised[tokens]; ok {
				quantised[headName+".weight"] = own
			} else {
				tensors[headName+".weight"] = cmp.Or(tensors[headName+".weight"], tensors[tokens])
			}
		}
		delete(quantised, t.Tensor)
		tensors[t.Tensor] = ConvertDType(named[t.Key], p.dtype)
	}
	start := make(map[string]*Node, len(p.start))
	for i, s := range p.start {
		start[s.Name] = base[len(p.frozen.shapes())+i]
	}
	factors := base[len(p.frozen.shapes())+len(p.start):]
	l := &loraGraph{
		spec: p.options.LoRA, index: moduleIndex(p.options.Targets), keys: keys, start: start,
		tensors: besideStart(named, start, p.options.Targets), scalings: factors[0],
		drop: dropoutNodes{threshold: factors[1], rest: factors[2]},
	}
	m := newTrunk(p.config, tensors, l)
	m.blocks = quantised
	m.trainsHead = p.trainsHead()
	return m
}

// trainsHead reports whether the logits depend on a trainable tensor other than through the hidden states.
func (p *Program) trainsHead() bool {
	return slices.ContainsFunc(p.trained, func(t lora.Trainable) bool { return t.Module == headName })
}

// frozenSpecs lists the base's tensors that the program needs: those that nothing takes the place of, and a tied token embedding.
func frozenSpecs(c Config, trained []lora.Trainable) []TensorSpec {
	return slices.DeleteFunc(c.Tensors(), func(s TensorSpec) bool {
		replaced := slices.ContainsFunc(trained, func(t lora.Trainable) bool { return t.Tensor == s.Name })
		return replaced && (!c.TieHead || s.Name != c.arch().tokens+".weight")
	})
}

func (p *Program) baseShapes() []shape {
	all := p.frozen.shapes()
	for _, s := range p.start {
		all = append(all, f32(s.Shape...))
	}
	return append(all, p.factorShapes()...)
}

// factorShapes: the targets' scalings, and dropoutNodes.
func (p *Program) factorShapes() []shape {
	return []shape{f32(len(p.options.Targets)), shapes.Make(dtypes.Uint32), f32()}
}

// gradientFor: (acc [N+1], p [N], batch…, scale, [keys], base…) -> acc + [gradient, loss].
func (p *Program) gradientFor(B, T int) (*executable, error) {
	in := append([]shape{f32(p.layout.total + 1), f32(p.layout.total)}, batchShapes(B, T, p.config.VocabSize)...)
	in = append(in, f32())
	dropout := p.options.LoRA.Dropout > 0
	if dropout {
		in = append(in, shapes.Make(dtypes.Uint32, len(p.options.Targets), p.options.maskInputs()))
	}
	return p.gradient.get(p.device, "training step", B, T, append(in, p.baseShapes()...), func(in []*Node) []*Node {
		acc, adapter, batch, rest := in[0], p.layout.nodes(in[1]), newBatchNodes(in[2:]), in[2+batchInputs:]
		scale, rest := rest[0], rest[1:]
		var keys *Node
		if dropout {
			keys, rest = rest[0], rest[1:]
		}
		m := p.trunk(adapter, keys, rest)
		m.checkpointing = p.options.Train.GradientCheckpointing
		nll, root := m.surrogate(batch, scale)
		grads := Gradient(root, adapter...)
		loss := Mul(ReduceAllSum(nll), scale)
		return []*Node{Add(acc, Concatenate([]*Node{p.layout.join(grads), Reshape(loss, 1)}, 0))}
	})
}

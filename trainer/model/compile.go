package model

import (
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
)

// trunk returns the model over graph inputs: the adapter's flat vector, dropout keys (or nil) and the base.
func (p *Program) trunk(adapter []*Node, keys *Node, base []*Node) trunk {
	specs := p.config.Tensors()
	tensors := make(map[string]*Node, len(specs))
	for i, s := range specs {
		tensors[s.Name] = base[i]
	}
	l := &lora{spec: p.options.LoRA, index: moduleIndex(p.options.Targets), tensors: p.layout.named(adapter), keys: keys}
	return newTrunk(p.config, tensors, l)
}

func (p *Program) baseShapes() []shape {
	var all []shape
	for _, s := range p.config.Tensors() {
		all = append(all, shapes.Make(p.dtype, s.Shape...))
	}
	return all
}

// gradientFor: (acc [N+1], p [N], batch…, scale, [keys], base…) -> acc + [gradient, loss].
func (p *Program) gradientFor(B, T int) (*executable, error) {
	in := append([]shape{f32(p.layout.total + 1), f32(p.layout.total)}, batchShapes(B, T, p.config.VocabSize)...)
	in = append(in, f32())
	dropout := p.options.LoRA.Dropout > 0
	if dropout {
		in = append(in, shapes.Make(dtypes.Uint32, len(p.options.Targets), 2))
	}
	return p.gradient.get(p.device, "training step", B, T, append(in, p.baseShapes()...), func(in []*Node) []*Node {
		acc, adapter, batch, rest := in[0], p.layout.nodes(in[1]), newBatchNodes(in[2:]), in[2+batchInputs:]
		scale, rest := rest[0], rest[1:]
		var keys *Node
		if dropout {
			keys, rest = rest[0], rest[1:]
		}
		nll, root := p.trunk(adapter, keys, rest).surrogate(batch, scale)
		grads := Gradient(root, adapter...)
		loss := Mul(ReduceAllSum(nll), scale)
		return []*Node{Add(acc, Concatenate([]*Node{p.layout.join(grads), Reshape(loss, 1)}, 0))}
	})
}

// evaluateFor: (p [N], batch…, base…) -> nll [k*c].
func (p *Program) evaluateFor(B, T int) (*executable, error) {
	in := append([]shape{f32(p.layout.total)}, batchShapes(B, T, p.config.VocabSize)...)
	return p.evaluate.get(p.device, "evaluation", B, T, append(in, p.baseShapes()...), func(in []*Node) []*Node {
		m := p.trunk(p.layout.nodes(in[0]), nil, in[1+batchInputs:])
		return []*Node{m.losses(newBatchNodes(in[1:]))}
	})
}

// logitsFor: (p [N], ids [B, T], positions [B, T], base…) -> logits [B*T, V].
func (p *Program) logitsFor(B, T int) (*executable, error) {
	in := append([]shape{f32(p.layout.total), i32(B, T), i32(B, T)}, p.baseShapes()...)
	return p.logits.get(p.device, "logits", B, T, in, func(in []*Node) []*Node {
		m := p.trunk(p.layout.nodes(in[0]), nil, in[3:])
		return []*Node{ConvertDType(m.logits(m.hidden(in[1], in[2])), dtypes.Float32)}
	})
}

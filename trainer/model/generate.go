package model

import (
	"slices"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"

	"github.com/ranksweep/ranksweep/sweep/lora"
	"github.com/ranksweep/ranksweep/trainer/weights"
)

// NextLogits returns, for every row of b, the logits of the token that follows position at[row]: [B, V], dropout off. What
// comes after that position is ignored, so rows padded to one length serve for many steps of a generation; labels are
// not looked at either. It computes the whole row anew: there is no cache of keys and values.
func (p *Program) NextLogits(b Batch, at []int32) (weights.Array, error) {
	exec, err := p.nextLogitsFor(b.B, b.T)
	if err != nil {
		return weights.Array{}, err
	}
	rows := make([]int32, b.B)
	for i := range rows {
		rows[i] = int32(i*b.T) + at[i]
	}
	index, err := p.upload(rows, dtypes.Int32, b.B)
	if err != nil {
		return weights.Array{}, err
	}
	defer finalizeAll(index)
	return p.forward(exec, b, []compute.Buffer{index}, b.B, p.config.VocabSize)
}

// nextLogitsFor: (p [N], ids [B, T], positions [B, T], rows [B], base…) -> logits [B, V].
func (p *Program) nextLogitsFor(B, T int) (*executable, error) {
	in := append([]shape{f32(p.layout.total), i32(B, T), i32(B, T), i32(B)}, p.baseShapes()...)
	return p.next.get(p.device, "next logits", B, T, in, func(in []*Node) []*Node {
		m := p.trunk(p.layout.nodes(in[0]), nil, in[4:])
		x := takeRows(m.hidden(in[1], in[2]), in[3])
		return []*Node{ConvertDType(m.logits(x), dtypes.Float32)}
	})
}

// Inputs returns what a linear module is given at every place of b, [B·T, in], dropout off. Labels are not looked at. It
// compiles anew at every call.
func (p *Program) Inputs(b Batch, module lora.Module) (weights.Array, error) {
	in := append([]shape{f32(p.layout.total), i32(b.B, b.T), i32(b.B, b.T)}, p.baseShapes()...)
	exec, err := p.build("inputs of "+module.Name, in, func(in []*Node) []*Node {
		m := p.trunk(p.layout.nodes(in[0]), nil, in[3:])
		m.inputs = map[string]*Node{}
		m.hidden(in[1], in[2])
		return []*Node{ConvertDType(m.inputs[module.Name], dtypes.Float32)}
	})
	if err != nil {
		return weights.Array{}, err
	}
	defer exec.finalize()
	return p.forward(exec, b, nil, b.B*b.T, module.In)
}

// forward runs an executable of (p, ids, positions, more…, base…) with one float32 result of these dimensions.
func (p *Program) forward(exec *executable, b Batch, more []compute.Buffer, dims ...int) (weights.Array, error) {
	where, err := b.positions()
	if err != nil {
		return weights.Array{}, err
	}
	ids, err := p.upload(b.IDs, dtypes.Int32, b.B, b.T)
	if err != nil {
		return weights.Array{}, err
	}
	defer finalizeAll(ids)
	positions, err := p.upload(where, dtypes.Int32, b.B, b.T)
	if err != nil {
		return weights.Array{}, err
	}
	defer finalizeAll(positions)
	inputs := slices.Concat([]compute.Buffer{p.p, ids, positions}, more, p.base)
	out, err := exec.run(inputs, nil)
	if err != nil {
		return weights.Array{}, err
	}
	defer finalizeAll(out...)
	flat, err := read(out[0], size(dims))
	return weights.Array{Shape: dims, Data: flat}, err
}

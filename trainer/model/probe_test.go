package model

import (
	"fmt"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"

	"github.com/ranksweep/ranksweep/trainer/weights"
)

// Evaluate returns the summed nll of a batch in nats and its supervised tokens, with dropout off.
func (p *Program) Evaluate(b Batch) (lossSum float64, tokens int64, err error) {
	s, err := p.Score(b)
	return s.LossSum, s.Tokens, err
}

// Gradients returns the gradient of the batch's mean loss for every trainable tensor, and that loss, without an update.
// Dropout masks are those of step 1.
func (p *Program) Gradients(b Batch) (map[string]weights.Array, float64, error) {
	acc, _, err := p.accumulate(1, []Batch{b})
	if err != nil {
		return nil, 0, fmt.Errorf("gradients: %w", err)
	}
	defer finalizeAll(acc)
	flat, err := read(acc, p.layout.total+1)
	if err != nil {
		return nil, 0, err
	}
	return p.layout.unpack(flat[:p.layout.total]), float64(flat[p.layout.total]), nil
}

// Logits returns the logits of every position, [B, T, V], with dropout off. Labels are not looked at. It compiles anew at every call.
func (p *Program) Logits(b Batch) (weights.Array, error) {
	in := append([]shape{f32(p.layout.total), i32(b.B, b.T), i32(b.B, b.T)}, p.baseShapes()...)
	exec, err := p.build("logits", in, func(in []*Node) []*Node {
		m := p.trunk(p.layout.nodes(in[0]), nil, in[3:])
		return []*Node{ConvertDType(m.logits(m.hidden(in[1], in[2])), dtypes.Float32)}
	})
	if err != nil {
		return weights.Array{}, err
	}
	defer exec.finalize()
	return p.forward(exec, b, nil, b.B, b.T, p.config.VocabSize)
}

package model

import (
	"fmt"
	"slices"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"

	"github.com/ranksweep/ranksweep/trainer/weights"
)

// Evaluate returns the summed nll of a batch in nats and its supervised tokens, with dropout off.
func (p *Program) Evaluate(b Batch) (lossSum float64, tokens int64, err error) {
	nll, pl, err := p.nll(b)
	if err != nil {
		return 0, 0, fmt.Errorf("evaluate: %w", err)
	}
	for _, v := range nll[:pl.tokens] {
		lossSum += float64(v)
	}
	return lossSum, int64(pl.tokens), nil
}

// nll returns every supervised prediction's loss in the plan's order.
func (p *Program) nll(b Batch) ([]float32, plan, error) {
	pl, err := b.plan(p.config)
	if err != nil {
		return nil, plan{}, err
	}
	exec, err := p.evaluateFor(b.B, b.T)
	if err != nil {
		return nil, plan{}, err
	}
	batch, err := pl.upload(p.device, b)
	if err != nil {
		return nil, plan{}, err
	}
	defer finalizeAll(batch...)
	out, err := exec.run(append(append([]compute.Buffer{p.p}, batch...), p.base...), nil)
	if err != nil {
		return nil, plan{}, err
	}
	defer finalizeAll(out...)
	flat, err := read(out[0], len(pl.rows))
	return flat, pl, err
}

// Logits returns the logits of every position, [B, T, V], with dropout off. Labels are not looked at.
func (p *Program) Logits(b Batch) (weights.Array, error) {
	exec, err := p.logitsFor(b.B, b.T)
	if err != nil {
		return weights.Array{}, err
	}
	return p.forward(exec, b, nil, b.B, b.T, p.config.VocabSize)
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

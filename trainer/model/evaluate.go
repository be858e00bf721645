package model

import (
	"fmt"
	"slices"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"

	"github.com/ranksweep/ranksweep/trainer/weights"
)

// Score is what a model makes of a batch, with dropout off.
type Score struct {
	LossSum float64 // nats, summed over the supervised tokens
	Tokens  int64   // supervised ones
	Hits    int64   // of these, how many have the highest logit, of equal ones the lowest id: what argmax takes
	// Completions are the runs of supervised tokens that follow an unsupervised one which is not its document's first: the answers to
	// a prompt, each answer of a conversation for itself. ExactMatches are those of which every token is a hit.
	Completions, ExactMatches int64
}

// Score scores a batch.
func (p *Program) Score(b Batch) (Score, error) {
	rows, err := p.scoreRows(b)
	if err != nil {
		return Score{}, fmt.Errorf("evaluate: %w", err)
	}
	s := Score{Tokens: int64(rows.tokens)}
	for i := range rows.tokens {
		s.LossSum += float64(rows.nll[i])
		s.Hits += int64(rows.hits[i])
	}
	for _, c := range rows.completions(b) {
		s.Completions++
		if !slices.Contains(rows.hits[c.first:c.end], 0) {
			s.ExactMatches++
		}
	}
	return s, nil
}

// rowScores are the supervised predictions' losses and hits, in the plan's order.
type rowScores struct {
	plan
	nll, hits []float32
}

func (p *Program) scoreRows(b Batch) (rowScores, error) {
	pl, err := b.plan(p.config)
	if err != nil {
		return rowScores{}, err
	}
	exec, err := p.evaluateFor(b.B, b.T)
	if err != nil {
		return rowScores{}, err
	}
	batch, err := pl.upload(p.device, b)
	if err != nil {
		return rowScores{}, err
	}
	defer finalizeAll(batch...)
	out, err := exec.run(append(append([]compute.Buffer{p.p}, batch...), p.base...), nil)
	if err != nil {
		return rowScores{}, err
	}
	defer finalizeAll(out...)
	scores := rowScores{plan: pl}
	if scores.nll, err = read(out[0], len(pl.rows)); err != nil {
		return rowScores{}, err
	}
	scores.hits, err = read(out[1], len(pl.rows))
	return scores, err
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

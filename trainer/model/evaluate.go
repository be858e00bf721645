package model

import (
	"fmt"
	"slices"

	"github.com/gomlx/compute"
)

// Score is what a model makes of a batch, with dropout off.
type Score struct {
	LossSum float64 // nats, summed over the supervised tokens
	Tokens  int64   // supervised ones
	Hits    int64   // of these, how many argmax picks: the highest logit, the lowest id among equals
	// Completions are the runs of supervised tokens that follow an unsupervised one which is not its document's first: the answers to
	// a prompt, each answer of a conversation on its own. ExactMatches are those of which every token is a hit.
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

package trainer

import (
	"context"

	"github.com/ranksweep/ranksweep/sweep/trial"
	"github.com/ranksweep/ranksweep/trainer/data"
	"github.com/ranksweep/ranksweep/trainer/model"
)

// batches cuts a corpus into the batches of a trial.
type batches struct {
	corpus       *data.Corpus
	sampler      *data.Sampler
	size         int // rows in one forward pass
	accumulation int // forward passes in one step
	length       int // ids in a row
}

// train returns the micro-batches of a step, counted from 1. They follow from the step alone: step s draws the rows
// numbered from (s-1)·accumulation·size on.
func (b batches) train(step int) []model.Batch {
	micro := make([]model.Batch, b.accumulation)
	position := int64(step-1) * int64(b.accumulation) * int64(b.size)
	for i := range micro {
		rows := make([]int, b.size)
		for j := range rows {
			rows[j] = b.sampler.Row(position)
			position++
		}
		micro[i] = b.batch(b.corpus.Train(), rows)
	}
	return micro
}

// batch copies rows of one kind into a batch of the compiled size. Fewer rows are filled up with rows that do not count.
func (b batches) batch(rows data.Rows, indices []int) model.Batch {
	n := b.size * b.length
	out := model.Batch{B: b.size, T: b.length, IDs: make([]int32, 0, n), Labels: make([]int32, 0, n), Segments: make([]int32, 0, n)}
	for _, i := range indices {
		r := rows.Row(i)
		out.IDs = append(out.IDs, r.IDs...)
		out.Labels = append(out.Labels, r.Labels...)
		out.Segments = append(out.Segments, r.Segments...)
	}
	for len(out.IDs) < n {
		out.IDs = append(out.IDs, 0)
		out.Labels = append(out.Labels, trial.IgnoredLabel)
		out.Segments = append(out.Segments, 0)
	}
	return out
}

// score sums the losses of scored tokens.
type score struct {
	Sum          float64
	Tokens, Hits int64

	Completions, ExactMatches int64
}

func (s *score) add(b model.Score) {
	s.Sum += b.LossSum
	s.Tokens += b.Tokens
	s.Hits += b.Hits
	s.Completions += b.Completions
	s.ExactMatches += b.ExactMatches
}

// Loss is the mean loss per token.
func (s score) Loss() float64 { return s.Sum / float64(s.Tokens) }

// TokenAccuracy is the share of tokens that were the likeliest.
func (s score) TokenAccuracy() float64 { return float64(s.Hits) / float64(s.Tokens) }

// ExactMatch is the share of completions that greedy decoding writes token by token, where there are any.
//
// Greedy decoding is not run for it: what it writes is a completion's tokens as long as each is the likeliest after those before
// it, so it writes the whole completion exactly where every token is a hit. Labels other than the ids themselves are scored after
// the ids. A completion that data.sequence_length cuts counts as far as it goes.
func (s score) ExactMatch() *float64 {
	if s.Completions == 0 {
		return nil
	}
	return new(float64(s.ExactMatches) / float64(s.Completions))
}

// evaluate scores every validation row once, and, where there are any, every row of data.retain.
func (b batches) evaluate(ctx context.Context, p *model.Program) (validation score, retain *score, err error) {
	if validation, err = b.score(ctx, p, b.corpus.Validation()); err != nil || b.corpus.Retain().Len() == 0 {
		return validation, nil, err
	}
	kept, err := b.score(ctx, p, b.corpus.Retain())
	return validation, &kept, err
}

// score scores every row once, in order, so that the sum always has the same bits.
func (b batches) score(ctx context.Context, p *model.Program, rows data.Rows) (score, error) {
	var total score
	for first := 0; first < rows.Len(); first += b.size {
		if err := ctx.Err(); err != nil {
			return score{}, err
		}
		var indices []int
		for i := first; i < min(first+b.size, rows.Len()); i++ {
			indices = append(indices, i)
		}
		scored, err := p.Score(b.batch(rows, indices))
		if err != nil {
			return score{}, err
		}
		total.add(scored)
	}
	if total.Tokens == 0 {
		return score{}, errNothingToScore
	}
	return total, nil
}

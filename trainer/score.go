package trainer

import (
	"context"
	"errors"

	"github.com/ranksweep/ranksweep/sweep/trial"
	"github.com/ranksweep/ranksweep/trainer/corpus"
	"github.com/ranksweep/ranksweep/trainer/model"
)

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

// Measures are what was measured beside the loss.
//
// Greedy decoding is not run for ExactMatch: what it writes is a completion's tokens as long as each is the likeliest after those
// before it, so it writes the whole completion exactly where every token is a hit. Labels other than the ids themselves are scored
// after the ids. A completion that data.sequence_length cuts counts as far as it goes.
func (s score) Measures() trial.Measures {
	m := trial.Measures{TokenAccuracy: new(float64(s.Hits) / float64(s.Tokens))}
	if s.Completions > 0 {
		m.ExactMatch = new(float64(s.ExactMatches) / float64(s.Completions))
	}
	return m
}

var errNothingToScore = errors.New("no supervised token in the rows to score")

// scoreCorpus scores every validation row once, and, where there are any, every row of data.retain; most is the number of batches of
// each to stop at, 0 for all.
func scoreCorpus(ctx context.Context, p *model.Program, b corpus.Batches, most int) (validation score, retain *score, err error) {
	held, kept := b.Corpus.Validation(), b.Corpus.Retain()
	if most > 0 {
		held, kept = held.First(most*b.Size), kept.First(most*b.Size)
	}
	if validation, err = scoreRows(ctx, p, b, held); err != nil || kept.Len() == 0 {
		return validation, nil, err
	}
	retained, err := scoreRows(ctx, p, b, kept)
	return validation, &retained, err
}

// scoreRows scores every row once, in order, so that the sum always has the same bits.
func scoreRows(ctx context.Context, p *model.Program, b corpus.Batches, rows corpus.Rows) (score, error) {
	var total score
	for batch := range b.All(rows) {
		if err := ctx.Err(); err != nil {
			return score{}, err
		}
		scored, err := p.Score(model.Batch(batch))
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

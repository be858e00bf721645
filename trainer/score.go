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

// scorer scores whole sides of a corpus in batches of one shape. It follows from the model and the rows alone, so a loss has the
// same bits whatever a trial's batches are.
type scorer struct {
	program      *model.Program
	corpus       *corpus.Corpus
	size, length int // rows in a batch, and their ids
}

func newScorer(p *model.Program, c *corpus.Corpus) scorer {
	length := max(2, c.Validation().Scored(), c.Retain().Scored()) // one id alone predicts nothing
	return scorer{program: p, corpus: c, size: p.EvaluationBatch(c.Validation().Len(), length), length: length}
}

// all scores every validation row once, and, where there are any, every row of data.retain; most is the number of batches of each to
// stop at, 0 for all. share is the share of the rows that was scored.
func (s scorer) all(ctx context.Context, most int) (validation score, retain *score, share float64, err error) {
	held, kept := s.corpus.Validation(), s.corpus.Retain()
	rows := held.Len() + kept.Len()
	if most > 0 {
		held, kept = held.First(most*s.size), kept.First(most*s.size)
	}
	share = float64(held.Len()+kept.Len()) / float64(rows)
	if validation, err = s.rows(ctx, held); err != nil || kept.Len() == 0 {
		return validation, nil, share, err
	}
	retained, err := s.rows(ctx, kept)
	return validation, &retained, share, err
}

// validation scores every validation row once.
func (s scorer) validation(ctx context.Context) (score, error) {
	return s.rows(ctx, s.corpus.Validation())
}

// rows scores rows in order, so that the sum always has the same bits.
func (s scorer) rows(ctx context.Context, rows corpus.Rows) (score, error) {
	var total score
	for batch := range rows.Batches(s.size, s.length) {
		if err := ctx.Err(); err != nil {
			return score{}, err
		}
		scored, err := s.program.Score(model.Batch(batch))
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

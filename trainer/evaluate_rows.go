package trainer

import (
	"context"
	"fmt"
	"io/fs"

	"github.com/ranksweep/ranksweep/sweep/trial"
	"github.com/ranksweep/ranksweep/trainer/corpus"
	"github.com/ranksweep/ranksweep/trainer/model"
)

// evalRows are the rows of a data set to score. They are read twice, first to check and to measure them, then a batch at a time,
// so that the data set need not fit memory.
type evalRows struct {
	stream   *corpus.Stream
	n        int // rows
	longest  int // of them, in ids
	warnings []string
	progress func(done, total int) // is told of every batch; may be nil
}

// newEvalRows reads the data set as training would cut it, but neither pads nor drops.
func newEvalRows(ctx context.Context, files fs.FS, o EvaluateOptions) (*evalRows, error) {
	stream, err := corpus.NewStream(ctx, corpus.Source{Files: files, Model: o.Model, Hub: o.Hub, Spec: trial.DataSpec{
		Train: o.Data, Validation: o.Data, SequenceLength: o.SequenceLength, Packing: !o.WholeDocuments, ScorePrompts: o.ScorePrompts,
	}})
	if err != nil {
		return nil, err
	}
	rows := &evalRows{stream: stream}
	rows.warnings, err = stream.Each(ctx, func(r corpus.Row) error {
		rows.n++
		rows.longest = max(rows.longest, len(r.IDs))
		if err := r.CheckVocabulary(o.Model.VocabSize); err != nil {
			return fmt.Errorf("%w: row %d: %w: these rows were made for another tokenizer", trial.ErrInput, rows.n, err)
		}
		if len(r.IDs) > o.SequenceLength {
			return fmt.Errorf("%w: row %d has %d ids, more than the sequence length of %d; nothing is cut here, so raise it (the model has "+
				"%d positions) or split the row",
				trial.ErrInput, rows.n, len(r.IDs), o.SequenceLength, o.Model.MaxPositions)
		}
		return nil
	})
	return rows, err
}

// score scores every row once, in batches of one shape: size rows, as long as the longest.
func (e *evalRows) score(ctx context.Context, p *model.Program, size int) (score, error) {
	length := max(2, e.longest) // one id alone predicts nothing
	var total score
	batch, done := make([]corpus.Row, 0, size), 0
	flush := func() error {
		scored, err := p.Score(model.Batch(corpus.Pad(batch, size, length)))
		if err != nil {
			return err
		}
		total.add(scored)
		if done += len(batch); e.progress != nil {
			e.progress(done, e.n)
		}
		batch = batch[:0]
		return nil
	}
	_, err := e.stream.Each(ctx, func(r corpus.Row) error {
		if batch = append(batch, r); len(batch) < size {
			return ctx.Err()
		}
		return flush()
	})
	if err == nil && len(batch) > 0 {
		err = flush()
	}
	if err != nil {
		return score{}, err
	}
	if total.Tokens == 0 {
		return score{}, fmt.Errorf("%w: %w", trial.ErrInput, errNothingToScore)
	}
	return total, nil
}

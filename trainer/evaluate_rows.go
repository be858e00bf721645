package trainer

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/ranksweep/ranksweep/sweep/trial"
	"github.com/ranksweep/ranksweep/trainer/data"
	"github.com/ranksweep/ranksweep/trainer/model"
)

// evalRows are the rows of a data set to score. They are read twice, first to check and to measure them, then a batch at a time,
// so that the data set need not fit memory.
type evalRows struct {
	stream   *data.Stream
	n        int // rows
	longest  int // of them, in ids
	warnings []string
}

// newEvalRows reads the data set as training would cut it, but neither pads nor drops.
func newEvalRows(ctx context.Context, files fs.FS, o EvaluateOptions) (*evalRows, error) {
	stream, err := data.NewStream(ctx, data.Source{Files: files, Model: o.Model, Hub: o.Hub, Spec: trial.DataSpec{
		Train: o.Data, Validation: o.Data, SequenceLength: o.SequenceLength, Packing: !o.WholeDocuments, ScorePrompts: o.ScorePrompts,
	}})
	if err != nil {
		return nil, err
	}
	rows := &evalRows{stream: stream}
	rows.warnings, err = stream.Each(ctx, func(r data.Sample) error {
		rows.n++
		rows.longest = max(rows.longest, len(r.InputIDs))
		if err := r.CheckVocabulary(o.Model.VocabSize); err != nil {
			return fmt.Errorf("%w: row %d: %w: these rows were made for another tokenizer", trial.ErrInput, rows.n, err)
		}
		if len(r.InputIDs) > o.SequenceLength {
			return fmt.Errorf("%w: row %d has %d ids, more than the sequence length of %d; nothing is cut here, so raise it (the model has %d positions) or split the row",
				trial.ErrInput, rows.n, len(r.InputIDs), o.SequenceLength, o.Model.MaxPositions)
		}
		return nil
	})
	return rows, err
}

// score scores every row once, in batches of one shape: size rows, as long as the longest.
func (e *evalRows) score(ctx context.Context, p *model.Program, size int) (score, error) {
	length := max(2, e.longest) // one id alone predicts nothing
	var total score
	batch := make([]data.Sample, 0, size)
	flush := func() error {
		scored, err := p.Score(padded(batch, size, length))
		if err != nil {
			return err
		}
		total.add(scored)
		batch = batch[:0]
		return nil
	}
	_, err := e.stream.Each(ctx, func(r data.Sample) error {
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

var errNothingToScore = errors.New("no supervised token in the rows to score")

// padded makes a batch of a fixed shape from at most size rows of at most length ids.
func padded(rows []data.Sample, size, length int) model.Batch {
	b := model.Batch{B: size, T: length, IDs: make([]int32, size*length), Labels: make([]int32, size*length), Segments: make([]int32, size*length)}
	for i := range b.Labels {
		b.Labels[i] = data.IgnoredLabel
	}
	for i, r := range rows {
		copy(b.IDs[i*length:], r.InputIDs)
		copy(b.Labels[i*length:], r.Labels)
		segments := b.Segments[i*length : (i+1)*length]
		for j := copy(segments, r.Segments); 0 < j && j < length; j++ {
			segments[j] = segments[j-1]
		}
	}
	return b
}

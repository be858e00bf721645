package trainer

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/ranksweep/ranksweep/sweep/trial"
	"github.com/ranksweep/ranksweep/trainer/corpus"
	"github.com/ranksweep/ranksweep/trainer/model"
)

// EvaluateOnTrial scores model and adapter of o on the validation rows of a trial's prepared corpus, in the batches of its evaluations
// and in its compute type. With the trial's own model, adapter and backend the loss is its val_loss: the two are one computation,
// whatever the adapter starts from (model.Export). Data, SequenceLength, BatchSize and Dtype of o are the trial's, whatever they hold; only
// another model than the trial's is never quantised.
func EvaluateOnTrial(ctx context.Context, t trial.Trial, path string, o EvaluateOptions) (e Evaluation, err error) {
	c, err := corpus.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return Evaluation{}, fmt.Errorf("%w: the trial's corpus is not in the cache any more: %w", trial.ErrInput, err)
	}
	if err != nil {
		return Evaluation{}, err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	if got := c.Info().Fingerprint; got != t.Data {
		return Evaluation{}, fmt.Errorf("%w: corpus %s is %s, not the trial's %s", trial.ErrInput, path, got, t.Data)
	}
	spec := t.Spec
	o.SequenceLength, o.BatchSize = spec.Data.SequenceLength, spec.Train.BatchSize
	o.Dtype, o.ComputeDtype = spec.Train.Dtype, spec.Train.ComputeDtype
	if o.Model.Fingerprint != t.Base { // such as a merged one, which is not to be quantised
		o.Dtype = spec.Train.Computes()
	}
	var total score
	var warnings []string
	err = withProgram(ctx, o, func(p *model.Program, f model.Fitted) error {
		warnings = f.Warnings
		total, err = newScorer(p, c).validation(ctx)
		return err
	})
	if err != nil {
		return Evaluation{}, err
	}
	return newEvaluation(total, c.Validation().Len(), warnings)
}

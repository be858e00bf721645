package trainer

import (
	"context"
	"fmt"
	"time"

	"github.com/ranksweep/ranksweep/sweep/trial"
	"github.com/ranksweep/ranksweep/trainer/model"
)

// cut replaces the adapter by the best approximation of the best one that has the rank after so many cuts, forgets the moments, and
// scores it. Rank is data: rows of A and columns of B that are zero stay so, and the program that trained the largest rank trains
// every other.
func (t *training) cut(ctx context.Context, cuts int) error {
	spec := t.Trial.Spec
	to := spec.LoRAAfter(cuts)
	adapter, err := model.Rescaled(model.Fitted{LoRA: spec.LoRA, Targets: t.targets, Tensors: t.bestAdapter}, to)
	if err != nil {
		return err
	}
	if err := t.program.Rescale(to); err != nil {
		return err
	}
	if err := t.program.Restart(adapter); err != nil {
		return err
	}
	score, err := t.scorer.validation(ctx)
	t.CutLoss = score.Loss()
	return err
}

// rate is the learning rate of a step. After a cut the schedule begins anew.
func (t *training) rate(step int) float64 {
	spec := t.Trial.Spec
	cuts, since := spec.StageAt(step)
	if cuts > 0 {
		spec.Train.Steps, spec.Train.WarmupSteps = spec.Shrink.Steps, 0
	}
	return LearningRate(spec.Train, since)
}

// evaluateCut scores the validation rows after the steps that follow a cut, and emits what the rank reached: before them or after. It
// returns the outcome that ends the trial where that is no number.
func (t *training) evaluateCut(ctx context.Context, cuts int) (*trial.Outcome, error) {
	began, rank := time.Now(), t.Trial.Spec.LoRAAfter(cuts).Rank
	score, err := t.scorer.validation(ctx)
	if err != nil {
		return nil, fmt.Errorf("evaluate rank %d: %w", rank, err)
	}
	loss := min(score.Loss(), t.CutLoss)
	if !finite(loss) {
		return unstable(fmt.Sprintf("the validation loss at rank %d is %v", rank, loss)), nil
	}
	t.Evaluated = t.Step
	return nil, t.emit(trial.Event{Kind: trial.EventScreened, Screened: &trial.Screened{
		Rank: rank, ValLoss: loss, Tokens: score.Tokens, Seconds: time.Since(began).Seconds(),
	}})
}

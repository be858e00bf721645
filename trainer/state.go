package trainer

import (
	"github.com/ranksweep/ranksweep/sweep/trial"
	"github.com/ranksweep/ranksweep/trainer/weights"
)

// progress is all that a trial remembers between steps beside its tensors. Rows, masks and learning rates are not in it:
// they follow from Step.
type progress struct {
	ID        trial.ID `json:"trial_id"`
	Step      int      `json:"step"`      // optimiser steps done
	Evaluated int      `json:"evaluated"` // step of the last evaluation; -1 before the first
	Tokens    int64    `json:"tokens"`    // supervised tokens trained on
	Window    window   `json:"window"`
	Best      *best    `json:"best"` // nil until an evaluation after step 0
	LastLoss  float64  `json:"last_val_loss"`

	Evaluations []stepEvaluation `json:"evaluations,omitempty"` // all so far, for an attempt that finds the logs before it damaged

	CutLoss float64 `json:"cut_val_loss,omitempty"` // of the adapter after the latest cut, before it was trained on

	BaseRetain *float64 `json:"base_retain,omitempty"` // loss on data.retain at step 0; nil where there is none

	TrainSeconds float64 `json:"train_seconds"`
	TotalSeconds float64 `json:"total_seconds"` // of the attempts so far, up to this moment
}

type stepEvaluation struct {
	Step int `json:"step"`
	trial.Evaluation
}

// window sums the training losses since the last evaluation.
type window struct {
	Sum   float64 `json:"sum"`
	Steps int     `json:"steps"`
}

func (w *window) add(loss float64) {
	w.Sum += loss
	w.Steps++
}

// best is the lowest evaluation after step 0, the earliest where several tie.
type best struct {
	Step      int     `json:"step"`
	ValLoss   float64 `json:"val_loss"`
	TrainLoss float64 `json:"train_loss"` // mean over the steps between this evaluation and the one before it

	RetainLoss *float64 `json:"retain_loss,omitempty"`
}

// evaluated takes an evaluation into account and reports whether it is the best so far. retain is nil without data.retain.
func (p *progress) evaluated(loss float64, retain *float64) bool {
	steps := p.Window
	p.Window = window{}
	p.Evaluated, p.LastLoss = p.Step, loss
	if p.Step == 0 {
		p.BaseRetain = retain
	}
	if p.Step == 0 || p.Best != nil && loss >= p.Best.ValLoss {
		return false
	}
	p.Best = &best{Step: p.Step, ValLoss: loss, TrainLoss: steps.Sum / float64(max(1, steps.Steps)), RetainLoss: retain}
	return true
}

// checkpoint is a trial's complete state after some step.
type checkpoint struct {
	progress
	Adapter, M, V map[string]weights.Array
	BestAdapter   map[string]weights.Array // nil until there is a best evaluation
}

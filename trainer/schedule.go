package trainer

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/ranksweep/ranksweep/sweep/trial"
)

// checkRecipe refuses a recipe that the loop or LearningRate cannot follow. A grid is checked before; this is for
// assignments written by hand.
func checkRecipe(t trial.TrainSpec) error {
	for name, n := range map[string]int{
		"steps": t.Steps, "batch_size": t.BatchSize, "gradient_accumulation_steps": t.GradientAccumulationSteps, "eval_steps": t.EvalSteps,
	} {
		if n < 1 {
			return fmt.Errorf("%w: train.%s is %d: want 1 or more", trial.ErrInput, name, n)
		}
	}
	if !slices.Contains(trial.Schedulers(), t.LRSchedulerType) {
		return fmt.Errorf("%w: lr_scheduler_type %q: want one of %s", trial.ErrInput, t.LRSchedulerType, strings.Join(trial.Schedulers(), ", "))
	}
	return nil
}

// LearningRate returns the learning rate of a step, counted from 1: transformers' get_linear_schedule_with_warmup,
// get_cosine_schedule_with_warmup (half a cosine) and get_constant_schedule_with_warmup, whose first step of a warm-up has
// rate 0. (transformers' plain "constant" ignores warmup_steps; here they count, because a person wrote them, so that it is the same
// as "constant_with_warmup".)
func LearningRate(t trial.TrainSpec, step int) float64 {
	done := float64(step - 1)
	warmup := float64(t.WarmupSteps)
	if done < warmup {
		return t.LearningRate * (done / max(1, warmup))
	}
	rest := max(1, float64(t.Steps)-warmup)
	switch t.LRSchedulerType {
	case trial.SchedulerLinear:
		return t.LearningRate * max(0, (float64(t.Steps)-done)/rest)
	case trial.SchedulerCosine:
		return t.LearningRate * max(0, 0.5*(1+math.Cos(math.Pi*((done-warmup)/rest))))
	}
	return t.LearningRate
}

package trial

import "math"

// OnRows turns what a recipe asks for into steps, now that the number of training rows is known: Steps, WarmupSteps and EvalSteps are
// set then, Epochs and WarmupRatio are 0. A recipe without Epochs needs no rows. It returns t where nothing is left to resolve.
//
// The arithmetic is that of transformers 5.24 (Trainer.set_initial_training_values, TrainingArguments.get_warmup_steps; drop_last is
// off), so that a schedule has the steps that it has there. What differs is the last batch of an epoch: theirs is cut short, ours is
// filled with the next epoch's first rows. EpochsAt says how often the rows are really seen.
func (t TrainSpec) OnRows(rows int) TrainSpec {
	if t.Epochs > 0 {
		batches := (rows + t.BatchSize - 1) / t.BatchSize
		perEpoch := max(1, (batches+t.GradientAccumulationSteps-1)/t.GradientAccumulationSteps)
		t.Steps = int(math.Ceil(t.Epochs * float64(perEpoch)))
	}
	if t.WarmupRatio > 0 {
		t.WarmupSteps = int(math.Ceil(float64(t.Steps) * t.WarmupRatio))
	}
	if t.EvalSteps == 0 {
		t.EvalSteps = (t.Steps + 9) / 10
	}
	t.Epochs, t.WarmupRatio = 0, 0
	return t
}

// RowsPerStep is how many training rows an optimiser step sees.
func (t TrainSpec) RowsPerStep() int { return t.BatchSize * t.GradientAccumulationSteps }

// EpochsAt is how often each of so many training rows has been seen after a step, on average; 0 where the rows are not known.
func (t TrainSpec) EpochsAt(step, rows int) float64 {
	if rows == 0 {
		return 0
	}
	return float64(step) * float64(t.RowsPerStep()) / float64(rows)
}

// HalfBatch is what the larger half of a batch takes: two forward passes of so many sequences hold a batch.
func (t TrainSpec) HalfBatch() int { return (t.BatchSize + 1) / 2 }

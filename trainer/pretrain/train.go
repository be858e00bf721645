package pretrain

import (
	"context"
	"fmt"
	"math"

	"github.com/gomlx/compute"

	"github.com/ranksweep/ranksweep/sweep/trial"
	"github.com/ranksweep/ranksweep/trainer"
	"github.com/ranksweep/ranksweep/trainer/corpus"
	"github.com/ranksweep/ranksweep/trainer/model"
	"github.com/ranksweep/ranksweep/trainer/weights"
)

// Recipe is how a base model is trained.
type Recipe struct {
	Config model.Config
	// Train holds the steps, batch size, schedule, weight decay, clipping and eval_steps; gradient accumulation and dtype
	// are not used.
	Train trial.TrainSpec
	Seed  int64 // of the initial weights and the order of the rows
}

// Evaluation is one point of the loss curve.
type Evaluation struct {
	Step      int
	Tokens    int64   // predictions trained on so far
	TrainLoss float64 // mean over the steps since the last evaluation; NaN at step 0
	ValLoss   float64 // nats per token over all validation rows
}

// Train trains every weight on the corpus and returns the weights after the last step. It reports the loss before the
// first step, every Train.EvalSteps steps and after the last.
func Train(ctx context.Context, be compute.Backend, r Recipe, c *corpus.Corpus, report func(Evaluation)) (map[string]weights.Array, error) {
	p, err := model.NewPretrain(be, r.Config,
		model.PretrainOptions{WeightDecay: r.Train.WeightDecay, MaxGradNorm: r.Train.MaxGradNorm, Seed: r.Seed})
	if err != nil {
		return nil, fmt.Errorf("pretrain: %w", err)
	}
	defer p.Close()
	batches := newBatches(c, r.Seed, r.Train.BatchSize)
	at := Evaluation{TrainLoss: math.NaN()}
	var sum float64
	for step, since := 0, 0; ; {
		if step%r.Train.EvalSteps == 0 || step == r.Train.Steps {
			at.Step, at.TrainLoss = step, sum/float64(since)
			if at.ValLoss, err = evaluate(ctx, p, c.Validation(), r.Train.BatchSize); err != nil {
				return nil, err
			}
			report(at)
			sum, since = 0, 0
		}
		if step == r.Train.Steps {
			return p.Weights()
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		step++
		since++
		result, err := p.Step(model.Batch(batches.Step(step)[0]), trainer.LearningRate(r.Train, step))
		if err != nil {
			return nil, err
		}
		if math.IsNaN(result.Loss) || math.IsInf(result.Loss, 0) {
			return nil, fmt.Errorf("pretrain: the loss of step %d is %v: lower the learning rate", step, result.Loss)
		}
		sum += result.Loss
		at.Tokens += result.Tokens
	}
}

// evaluate returns the mean loss over every row, in nats per token.
func evaluate(ctx context.Context, p *model.Pretrainer, rows corpus.Rows, batchSize int) (float64, error) {
	var sum float64
	var tokens int64
	for from := 0; from < rows.Len(); from += batchSize {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		var list []corpus.Row
		for i := from; i < min(from+batchSize, rows.Len()); i++ {
			list = append(list, rows.Row(i))
		}
		s, n, err := p.Evaluate(model.Batch(corpus.Pad(list, len(list), len(list[0].IDs))))
		if err != nil {
			return 0, err
		}
		sum += s
		tokens += n
	}
	return sum / float64(tokens), nil
}

// newBatches returns a corpus's training batches in an order that follows from the seed.
func newBatches(c *corpus.Corpus, seed int64, size int) corpus.Batches {
	return corpus.Batches{
		Corpus: c, Sampler: corpus.NewSampler(c.Train().Len(), seed, true), Size: size, Accumulation: 1,
	}
}

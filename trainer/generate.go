package trainer

import (
	"context"
	"fmt"
	"slices"

	"github.com/ranksweep/ranksweep/sweep/trial"
	"github.com/ranksweep/ranksweep/trainer/model"
)

// GenerateOptions say who answers what. Of EvaluateOptions they need neither Data, nor what belongs to it, nor sizes.
type GenerateOptions struct {
	EvaluateOptions
	Prompts [][]int32
	Stops   []int32 // ids that end an answer
	// MaxNewTokens ends an answer too, and so do the model's positions.
	MaxNewTokens int
	Written      func(tokens int) // is told after each step how many tokens every unfinished answer has; may be nil
}

// Answer is what a model wrote after a prompt.
type Answer struct {
	IDs   []int32 // without the one that ended it
	Ended bool    // by one of Stops; else it was cut
}

// promptsAtOnce is how many prompts share a forward pass.
const promptsAtOnce = 8

// Generate lets a model, with an adapter or without, go on with prompts: at each step the token of the highest logit, the lowest id among
// equals, as transformers' generate(do_sample=False). Every step computes the prompts and the answers so far anew, in rows of one length
// and so with one program. The warnings are about the adapter.
func Generate(ctx context.Context, o GenerateOptions) (answers []Answer, warnings []string, err error) {
	if o.MaxNewTokens < 1 {
		return nil, nil, fmt.Errorf("%w: %d new tokens: want 1 or more", trial.ErrInput, o.MaxNewTokens)
	}
	longest := 0
	for i, prompt := range o.Prompts {
		if err := o.checkPrompt(prompt); err != nil {
			return nil, nil, fmt.Errorf("%w: prompt %d %w", trial.ErrInput, i+1, err)
		}
		longest = max(longest, len(prompt))
	}
	o.SequenceLength = min(longest+o.MaxNewTokens, o.Model.MaxPositions)
	o.BatchSize = min(len(o.Prompts), promptsAtOnce)
	err = withProgram(ctx, o.EvaluateOptions, func(p *model.Program, f model.Fitted) error {
		warnings = f.Warnings
		for prompts := range slices.Chunk(o.Prompts, promptsAtOnce) {
			written, err := o.answer(ctx, p, prompts)
			if err != nil {
				return err
			}
			answers = append(answers, written...)
		}
		return nil
	})
	return answers, warnings, err
}

// checkPrompt says what a model could not go on with.
func (o GenerateOptions) checkPrompt(prompt []int32) error {
	if len(prompt) == 0 {
		return fmt.Errorf("has no token")
	}
	if len(prompt) >= o.Model.MaxPositions {
		return fmt.Errorf("has %d tokens, and the model reads up to %d, answer included%s", len(prompt), o.Model.MaxPositions, o.Model.BeyondThem)
	}
	if i := slices.IndexFunc(prompt, func(id int32) bool { return id < 0 || int(id) >= o.Model.VocabSize }); i >= 0 {
		return fmt.Errorf("has id %d, which is not in the model's vocabulary of %d", prompt[i], o.Model.VocabSize)
	}
	return nil
}

// answer writes the answers to as many prompts as share a forward pass.
func (o GenerateOptions) answer(ctx context.Context, p *model.Program, prompts [][]int32) ([]Answer, error) {
	B, T := o.BatchSize, o.SequenceLength
	b := model.Batch{B: B, T: T, IDs: make([]int32, B*T)}
	last := make([]int32, B) // index of each row's last token so far
	for i, prompt := range prompts {
		copy(b.IDs[i*T:], prompt)
		last[i] = int32(len(prompt)) - 1
	}
	answers, done := make([]Answer, len(prompts)), make([]bool, len(prompts))
	for step := 1; step <= o.MaxNewTokens && slices.Contains(done, false); step++ {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		logits, err := p.NextLogits(b, last)
		if err != nil {
			return nil, fmt.Errorf("generate: %w", err)
		}
		V := logits.Shape[1]
		for i := range answers {
			if done[i] {
				continue
			}
			id := highest(logits.Data[i*V : (i+1)*V])
			if answers[i].Ended = slices.Contains(o.Stops, id); answers[i].Ended {
				done[i] = true
				continue
			}
			answers[i].IDs = append(answers[i].IDs, id)
			last[i]++
			b.IDs[i*T+int(last[i])] = id
			done[i] = int(last[i]) == T-1
		}
		if o.Written != nil {
			o.Written(step)
		}
	}
	return answers, nil
}

// highest is the index of the highest logit, the first among equals.
func highest(logits []float32) int32 {
	best := 0
	for i, v := range logits {
		if v > logits[best] {
			best = i
		}
	}
	return int32(best)
}

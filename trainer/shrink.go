package trainer

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/ranksweep/ranksweep/sweep/lora"
	"github.com/ranksweep/ranksweep/sweep/trial"
	"github.com/ranksweep/ranksweep/trainer/model"
	"github.com/ranksweep/ranksweep/trainer/weights"
)

// ShrunkRank is an adapter's score with each module's update replaced by its best approximation of at most a rank.
type ShrunkRank struct {
	Rank  int
	Bytes int64 // of the adapter's tensors at this rank, as float32
	Evaluation
}

// Shrunk is an adapter's curve over ranks, and what it takes to write one of them.
type Shrunk struct {
	Curve []ShrunkRank // ascending; the last is the adapter itself

	adapter weights.Adapter
	fitted  model.Fitted
}

// Shrink scores the adapter of o at every power of two below its rank, at the rank to where that is not 0, and at its own. Its rank is
// the largest of its modules'. Rank is data: one program evaluates all.
func Shrink(ctx context.Context, o EvaluateOptions, to int) (Shrunk, error) {
	adapter, err := weights.ReadAdapter(o.Adapter)
	if err != nil {
		return Shrunk{}, asInput(err)
	}
	o, rows, err := o.rows(ctx)
	if err != nil {
		return Shrunk{}, err
	}
	shrunk := Shrunk{adapter: adapter}
	err = withProgram(ctx, o, func(p *model.Program, f model.Fitted) error {
		shrunk.fitted = f
		ranks, err := shrinkLadder(f, to)
		if err != nil {
			return err
		}
		for _, rank := range ranks {
			rows.progress = o.ofRank(rank)
			score, err := rows.scoreShrunk(ctx, p, f, rank, o.BatchSize)
			if err != nil {
				return fmt.Errorf("adapter %s at rank %d: %w", o.Adapter, rank, err)
			}
			shrunk.Curve = append(shrunk.Curve, score)
		}
		return nil
	})
	return shrunk, err
}

// ofRank is the progress of scoring a rank; nil where nobody asked.
func (o EvaluateOptions) ofRank(rank int) func(done, total int) {
	if o.Progress == nil {
		return nil
	}
	return func(done, total int) { o.Progress(rank, done, total) }
}

// shrinkLadder lists the ranks to score, ascending.
func shrinkLadder(f model.Fitted, to int) ([]int, error) {
	own := 0
	for _, m := range f.Targets {
		own = max(own, f.LoRA.RankOf(m.Name))
	}
	if to > own {
		return nil, fmt.Errorf("%w: the adapter has rank %d, and truncating it gives no more: name at most %d", trial.ErrInput, own, own)
	}
	ranks := []int{own}
	if to > 0 {
		ranks = append(ranks, to)
	}
	for rank := 1; rank < own; rank *= 2 {
		ranks = append(ranks, rank)
	}
	slices.Sort(ranks)
	return slices.Compact(ranks), nil
}

// scoreShrunk scores the adapter truncated to a rank, in the shapes of the program.
func (e *evalRows) scoreShrunk(ctx context.Context, p *model.Program, f model.Fitted, rank, size int) (ShrunkRank, error) {
	state, err := p.State()
	if err != nil {
		return ShrunkRank{}, err
	}
	low := f.LoRA.Shrunk(rank)
	if state.Adapter, err = model.Truncated(f, low); err != nil {
		return ShrunkRank{}, err
	}
	if err := p.SetState(state); err != nil {
		return ShrunkRank{}, err
	}
	total, err := e.score(ctx, p, size)
	if err != nil {
		return ShrunkRank{}, err
	}
	evaluation, err := newEvaluation(total, e.n, slices.Concat(e.warnings, f.Warnings))
	return ShrunkRank{Rank: rank, Bytes: bytesAt(f, low), Evaluation: evaluation}, err
}

// bytesAt is what an adapter's tensors take as float32 at the ranks of other settings.
func bytesAt(f model.Fitted, low lora.Spec) int64 {
	n := 0
	for _, t := range []tensors{f.Tensors, f.Base} {
		for _, a := range t {
			n += len(a.Data)
		}
	}
	for _, m := range f.Targets {
		n -= (f.LoRA.RankOf(m.Name) - low.RankOf(m.Name)) * (m.In + m.Out)
	}
	return 4 * int64(n)
}

// Serving is what it takes to serve the adapter truncated to a rank.
func (s Shrunk) Serving(rank int) lora.Serving {
	return s.fitted.LoRA.Shrunk(rank).Serving(s.fitted.Targets)
}

// Write writes the adapter truncated to at most a rank as PEFT stores it. Alphas fall with the rank, so that what multiplies B·A stays; of
// modules where that does not do, B takes up the difference. DoRA's magnitudes, biases and saved modules stay as they are.
func (s Shrunk) Write(dir string, rank int) error {
	f := s.fitted
	resized, err := model.Resize(f, f.LoRA.Shrunk(rank), f.Tensors)
	if err != nil {
		return err
	}
	all := maps.Clone(s.adapter.Tensors) // with the base's own that it may bring along
	maps.Copy(all, resized)
	spec := s.adapter.Spec().Shrunk(rank)
	if spec.TargetModules.Pattern == "" && len(spec.TargetModules.List) == 0 {
		spec.TargetModules = f.LoRA.TargetModules // of an old file, which left them to PEFT
	}
	config := weights.NewAdapterConfig(s.adapter.Config.BaseModelNameOrPath, spec, f.Targets)
	config.Revision = s.adapter.Config.Revision
	return weights.WriteAdapter(dir, weights.Adapter{Config: config, Tensors: all})
}

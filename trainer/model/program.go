package model

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"

	"github.com/ranksweep/ranksweep/sweep/lora"
	"github.com/ranksweep/ranksweep/sweep/trial"
	"github.com/ranksweep/ranksweep/trainer/weights"
)

// Options are a trial's choices, as far as the step needs them.
type Options struct {
	LoRA           lora.Spec
	Train          trial.TrainSpec
	Targets        []lora.Module // what Match selected
	SequenceLength int           // T of the training batches
	Seed           int64         // of the dropout masks
	// MicroBatch cuts every batch into forward passes of so many rows, the last filled up with rows that do not count. What is computed is
	// the same but for rounding, dropout's masks included. 0 means whole batches.
	MicroBatch int
}

// parts is how many forward passes a batch takes.
func (o Options) parts() int {
	if o.MicroBatch == 0 {
		return 1
	}
	return (o.Train.BatchSize + o.MicroBatch - 1) / o.MicroBatch
}

// maskInputs is how many numbers a target's mask is made of: two keys, and where the part begins in a batch that is cut.
func (o Options) maskInputs() int {
	if o.parts() > 1 {
		return 3
	}
	return 2
}

// Program trains one adapter, and what may train beside it, on a frozen base. It is not safe for concurrent use.
type Program struct {
	parameters // the adapter
	config     Config
	options    Options
	trained    []lora.Trainable // in the order of the layout
	dtype      dtypes.DType
	frozen     frozenBase
	start      []TensorSpec     // PiSSA's start, in its wide shapes
	base       []compute.Buffer // the frozen tensors, then the start, in float32, then the factors

	// Beat is called after each batch, of training and of scoring; nil: nobody asks. A backend may still compute it.
	Beat func()

	gradient, next cache
	evaluate       forward
}

// New puts the frozen base and the trainable tensors on the backend's first device. base and adapter are only read, and may be
// dropped afterwards. With init: pissa the adapter is the fresh one, whatever SetState puts in its place later. Base names are those
// of Config.Tensors, adapter names those of adapter files.
func New(be compute.Backend, c Config, base, adapter map[string]weights.Array, o Options) (*Program, error) {
	p, err := design(be, c, o)
	if err != nil {
		return nil, err
	}
	if err := c.check(base); err != nil {
		return nil, err
	}
	p.frozen = newFrozenBase(frozenSpecs(c, p.trained), base, p.dtype)
	if p.base, err = p.frozen.upload(p.device, base); err != nil {
		return nil, err
	}
	return p.begin(adapter)
}

// design is a Program with nothing on the device.
func design(be compute.Backend, c Config, o Options) (*Program, error) {
	dtype, err := computeType(o.Train.Computes())
	if err != nil {
		return nil, err
	}
	if o.LoRA.Rank < 1 && !o.LoRA.Full || len(o.Targets) == 0 {
		return nil, fmt.Errorf("rank %d on %d modules: nothing to train", o.LoRA.Rank, len(o.Targets))
	}
	if err := o.LoRA.Validate(); err != nil {
		return nil, err
	}
	trained, err := c.Trainables(o.Targets, o.LoRA)
	if err != nil {
		return nil, err
	}
	p := &Program{
		parameters: parameters{
			device: device{be}, layout: newWideLayout(specsOf(trained), wideShapes(trained)),
			optimizer: adamW{
				weightDecay: o.Train.WeightDecay, maxGradNorm: o.Train.MaxGradNorm,
				groups: loraPlus(trained, o.LoRA, o.Train.LearningRate),
			},
		},
		config: c, options: o, trained: trained, dtype: dtype,
		start:    startSpecs(o.LoRA, o.Targets, func(module string) int { return lora.Bucket(o.LoRA.RankOf(module)) }),
		gradient: cache{}, next: cache{}, evaluate: forward{hidden: cache{}, head: cache{}},
	}
	return p, nil
}

// begin puts what changes from trial to trial on the device, beside the frozen tensors.
func (p *Program) begin(adapter map[string]weights.Array) (*Program, error) {
	err := p.SetState(p.fresh(adapter)) // which checks the adapter
	if err == nil {
		var start []compute.Buffer
		start, err = p.uploadAll(p.start, widened(adapter, startSpecs(p.options.LoRA, p.options.Targets, p.options.LoRA.RankOf), p.start),
			dtypes.Float32)
		p.base = append(p.base, start...)
	}
	if err == nil {
		err = p.setFactors(p.options.LoRA)
	}
	if err != nil {
		p.Close()
		return nil, err
	}
	return p, nil
}

// Next returns a Program for another trial of p's kind: it takes over the frozen base and what is compiled, and p is closed.
func (p *Program) Next(adapter map[string]weights.Array, o Options) (*Program, error) {
	q, err := design(p.be, p.config, o)
	if err != nil {
		return nil, err
	}
	if q.kind() != p.kind() {
		return nil, fmt.Errorf("the trial needs other programs than the one before it: %s, not %s", q.kind(), p.kind())
	}
	n := len(p.frozen.shapes())
	q.frozen, q.base, p.base = p.frozen, slices.Clone(p.base[:n]), p.base[n:]
	q.gradient, q.next, q.evaluate, q.apply = p.gradient, p.next, p.evaluate, p.apply
	p.gradient, p.next, p.evaluate, p.apply = nil, nil, forward{}, nil
	p.Close()
	return q.begin(adapter)
}

// kind names what programs depend on beside the model and the batch: equal kinds have equal programs. Scalings, the rate of dropout, and
// the optimiser's numbers are inputs, and ranks are rounded up to their bucket. trial.Assignment.Kind is never coarser.
func (p *Program) kind() string {
	l := p.options.LoRA
	var names []string
	for _, m := range p.options.Targets {
		names = append(names, m.Name)
	}
	for _, t := range p.trained {
		names = append(names, t.Key)
	}
	return fmt.Sprintf("%s %s %q %v %v full=%t dora=%t dropout=%t checkpointing=%t groups=%d micro=%d", p.dtype, p.options.Train.Dtype, names,
		p.layout.wide, p.start, l.Full, l.UseDoRA, l.Dropout > 0, p.options.Train.GradientCheckpointing,
		len(p.optimizer.groups), p.options.MicroBatch)
}

func computeType(name string) (dtypes.DType, error) {
	switch name {
	case "", trial.DtypeFloat32:
		return dtypes.Float32, nil
	case trial.DtypeBFloat16:
		return dtypes.BFloat16, nil
	}
	return 0, fmt.Errorf("dtype %q: want float32 or bfloat16", name)
}

// Rescale scales the updates as another spec on the same targets does.
func (p *Program) Rescale(l lora.Spec) error {
	if l.UseDoRA || l.Init == lora.InitPiSSA {
		return errors.New("neither DoRA's lengths nor pissa's start follow the adapter to another rank")
	}
	return p.setFactors(l)
}

// setFactors puts the factors on the device, in place of those that are there: the targets' scalings, and the rate of dropout.
func (p *Program) setFactors(l lora.Spec) error {
	first := len(p.frozen.shapes()) + len(p.start)
	finalizeAll(p.base[first:]...)
	p.base = p.base[:first]
	scalings := make([]float32, len(p.options.Targets))
	for i, m := range p.options.Targets {
		scalings[i] = float32(l.ScalingOf(m.Name))
	}
	for i, flat := range []any{scalings, []uint32{uint32(l.Dropout * (1 << 32))}, []float32{float32(1 / (1 - l.Dropout))}} {
		s := p.factorShapes()[i]
		b, err := p.upload(flat, s.DType, s.Dimensions...)
		if err != nil {
			return err
		}
		p.base = append(p.base, b)
	}
	return nil
}

// Restart replaces the adapter and forgets AdamW's moments: steps then count from 1 again.
func (p *Program) Restart(adapter map[string]weights.Array) error {
	return p.SetState(p.fresh(adapter))
}

// Compile compiles the training step for batch_size × SequenceLength, so that what the compiler knows about memory is known before
// step 1. It can take seconds.
func (p *Program) Compile(ctx context.Context) error {
	for _, compile := range []func() error{
		func() error {
			_, err := p.gradientFor(cmp.Or(p.options.MicroBatch, p.options.Train.BatchSize), p.options.SequenceLength)
			return err
		},
		p.compileApply,
	} {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := compile(); err != nil {
			return err
		}
	}
	return nil
}

// StepResult is one optimiser step's metrics: of its batch before the update.
type StepResult struct {
	Loss     float64 // mean nats per supervised token
	GradNorm float64 // before clipping
	Tokens   int64   // supervised tokens of the batch
}

// Step is one optimiser step over the micro-batches, weighted by their supervised tokens. Steps count from 1. A loss or
// norm that is not finite is returned as it is; the parameters are then lost.
func (p *Program) Step(step int, micro []Batch, lr float64) (StepResult, error) {
	if step < 1 {
		return StepResult{}, fmt.Errorf("step %d: steps count from 1", step)
	}
	acc, tokens, err := p.accumulate(step, micro)
	if err != nil {
		return StepResult{}, fmt.Errorf("step %d: %w", step, err)
	}
	r := StepResult{Tokens: tokens}
	if r.Loss, r.GradNorm, err = p.update(step, acc, lr); err != nil {
		return StepResult{}, fmt.Errorf("step %d: %w", step, err)
	}
	return r, nil
}

// accumulate returns the gradient of the token-weighted mean over the micro-batches, followed by the mean itself, [N+1].
func (p *Program) accumulate(step int, micro []Batch) (compute.Buffer, int64, error) {
	plans := make([]plan, len(micro))
	tokens := 0
	for i, b := range micro {
		var err error
		if plans[i], err = b.plan(p.config); err != nil {
			return nil, 0, err
		}
		tokens += plans[i].tokens
	}
	if tokens == 0 {
		return nil, 0, errors.New("no supervised token in the batch")
	}
	acc, parts := p.zero, p.options.parts()
	for i, b := range micro {
		keys := dropoutKeys(p.options.Targets, p.options.Seed, step, i/parts)
		if parts > 1 {
			keys = fromPart(p.options.Targets, keys, i%parts*b.B*b.T)
		}
		next, err := p.addGradient(acc, b, plans[i], 1/float64(tokens), keys)
		if acc != p.zero {
			finalizeAll(acc)
		}
		if err != nil {
			return nil, 0, err
		}
		acc = next
	}
	return acc, int64(tokens), nil
}

func (p *Program) addGradient(acc compute.Buffer, b Batch, pl plan, scale float64, keys []uint32) (compute.Buffer, error) {
	exec, err := p.gradientFor(b.B, b.T)
	if err != nil {
		return nil, err
	}
	batch, err := pl.upload(p.device, b)
	if err != nil {
		return nil, err
	}
	defer func() { finalizeAll(batch...) }()
	factor, err := p.upload([]float32{float32(scale)}, dtypes.Float32)
	if err != nil {
		return nil, err
	}
	batch = append(batch, factor)
	if p.options.LoRA.Dropout > 0 {
		k, err := p.upload(keys, dtypes.Uint32, len(p.options.Targets), p.options.maskInputs())
		if err != nil {
			return nil, err
		}
		batch = append(batch, k)
	}
	inputs := append(append([]compute.Buffer{acc, p.p}, batch...), p.base...)
	out, err := exec.run(inputs, nil)
	if err != nil {
		return nil, err
	}
	p.beat()
	return out[0], nil
}

func (p *Program) beat() {
	if p.Beat != nil {
		p.Beat()
	}
}

// Close frees everything on the device.
func (p *Program) Close() {
	finalizeAll(p.base...)
	p.base = nil
	p.parameters.close()
	p.gradient.finalize()
	p.next.finalize()
	p.evaluate.finalize()
}

package model

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph" //nolint:revive // graph code reads as formulas
	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/trainer/weights"
)

// Options are a trial's choices, as far as the step needs them.
type Options struct {
	LoRA           sweep.LoRASpec
	Train          sweep.TrainSpec
	Targets        []sweep.Module // what Match selected
	SequenceLength int            // T of the training batches
	Seed           int64          // of the dropout masks
}

// Program trains one adapter on a frozen base. It is not safe for concurrent use.
type Program struct {
	device
	config  Config
	options Options
	layout  layout // of the adapter
	dtype   dtypes.DType

	base    []compute.Buffer // in the order of Config.Tensors, in dtype
	p, m, v compute.Buffer   // adapter and moments, [N] float32
	zero    compute.Buffer   // [N+1] zeros: the first micro-batch's accumulator

	apply    *executable
	gradient map[[2]int]*executable // by B, T
	evaluate map[[2]int]*executable
	logits   map[[2]int]*executable
}

// New puts the frozen base and the adapter on the backend's first device. base and adapter are only read, and may be
// dropped afterwards. Base names are those of Config.Tensors, adapter names those
// of adapter files.
func New(be compute.Backend, c Config, base, adapter map[string]weights.Array, o Options) (*Program, error) {
	dtype, err := computeType(be, o.Train.Dtype)
	if err != nil {
		return nil, err
	}
	if o.LoRA.Rank < 1 || len(o.Targets) == 0 {
		return nil, fmt.Errorf("rank %d on %d modules: nothing to train", o.LoRA.Rank, len(o.Targets))
	}
	if err := c.check(base); err != nil {
		return nil, err
	}
	p := &Program{
		device: device{be}, config: c, options: o, dtype: dtype,
		layout:   newLayout(adapterSpecs(o.Targets, o.LoRA.Rank)),
		gradient: map[[2]int]*executable{}, evaluate: map[[2]int]*executable{}, logits: map[[2]int]*executable{},
	}
	if err := p.start(base, adapter); err != nil {
		p.Close()
		return nil, err
	}
	return p, nil
}

func computeType(be compute.Backend, name string) (dtypes.DType, error) {
	switch name {
	case "", "float32":
		return dtypes.Float32, nil
	case "bfloat16":
		if be.Name() == "go" {
			return 0, errors.New("dtype bfloat16 needs an XLA backend: the pure-Go backend computes in float32 only")
		}
		return dtypes.BFloat16, nil
	}
	return 0, fmt.Errorf("dtype %q: want float32 or bfloat16", name)
}

func (p *Program) start(base, adapter map[string]weights.Array) error {
	var err error
	if p.base, err = p.uploadAll(p.config.Tensors(), base, p.dtype); err != nil {
		return err
	}
	if p.zero, err = p.upload(make([]float32, p.layout.total+1), dtypes.Float32, p.layout.total+1); err != nil {
		return err
	}
	zeros := p.layout.unpack(make([]float32, p.layout.total))
	return p.SetState(State{Adapter: adapter, M: zeros, V: zeros})
}

// Compile compiles the training step and the evaluation for batch_size × SequenceLength, so that what the compiler knows
// about memory is known before step 1. It can take seconds.
func (p *Program) Compile(ctx context.Context) error {
	B, T := p.options.Train.BatchSize, p.options.SequenceLength
	for _, compile := range []func() error{
		func() error { _, err := p.gradientFor(B, T); return err },
		p.compileApply,
		func() error { _, err := p.evaluateFor(B, T); return err },
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
	stats, err := p.update(step, acc, lr)
	if err != nil {
		return StepResult{}, fmt.Errorf("step %d: %w", step, err)
	}
	return StepResult{Loss: float64(stats[0]), GradNorm: float64(stats[1]), Tokens: tokens}, nil
}

// accumulate returns the gradient of the token-weighted mean over the micro-batches with the mean itself behind it, [N+1].
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
	acc := p.zero
	for i, b := range micro {
		next, err := p.addGradient(acc, b, plans[i], 1/float64(tokens), dropoutKeys(p.options.Targets, p.options.Seed, step, i))
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
		k, err := p.upload(keys, dtypes.Uint32, len(p.options.Targets), 2)
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
	return out[0], nil
}

// update applies AdamW; it consumes acc. It returns the loss and the gradient's norm.
func (p *Program) update(step int, acc compute.Buffer, lr float64) ([]float32, error) {
	if err := p.compileApply(); err != nil {
		finalizeAll(acc)
		return nil, err
	}
	scheduled, err := p.upload(schedule(step, lr), dtypes.Float32, 3)
	if err != nil {
		finalizeAll(acc)
		return nil, err
	}
	out, err := p.apply.run([]compute.Buffer{p.p, p.m, p.v, acc, scheduled}, []bool{true, true, true, acc != p.zero, true})
	if err != nil {
		p.p, p.m, p.v = nil, nil, nil
		return nil, err
	}
	p.p, p.m, p.v = out[0], out[1], out[2]
	defer finalizeAll(out[3])
	return read(out[3], 2)
}

// Evaluate returns the summed nll of a batch in nats and its supervised tokens, with dropout off.
func (p *Program) Evaluate(b Batch) (lossSum float64, tokens int64, err error) {
	nll, pl, err := p.nll(b)
	if err != nil {
		return 0, 0, fmt.Errorf("evaluate: %w", err)
	}
	for _, v := range nll[:pl.tokens] {
		lossSum += float64(v)
	}
	return lossSum, int64(pl.tokens), nil
}

// nll returns every supervised prediction's loss in the plan's order.
func (p *Program) nll(b Batch) ([]float32, plan, error) {
	pl, err := b.plan(p.config)
	if err != nil {
		return nil, plan{}, err
	}
	exec, err := p.evaluateFor(b.B, b.T)
	if err != nil {
		return nil, plan{}, err
	}
	batch, err := pl.upload(p.device, b)
	if err != nil {
		return nil, plan{}, err
	}
	defer finalizeAll(batch...)
	out, err := exec.run(append(append([]compute.Buffer{p.p}, batch...), p.base...), nil)
	if err != nil {
		return nil, plan{}, err
	}
	defer finalizeAll(out...)
	flat, err := read(out[0], len(pl.rows))
	return flat, pl, err
}

// Logits returns the logits of every position, [B, T, V], with dropout off. Labels are not looked at.
func (p *Program) Logits(b Batch) (weights.Array, error) {
	exec, err := p.logitsFor(b.B, b.T)
	if err != nil {
		return weights.Array{}, err
	}
	ids, err := p.upload(b.IDs, dtypes.Int32, b.B, b.T)
	if err != nil {
		return weights.Array{}, err
	}
	defer finalizeAll(ids)
	out, err := exec.run(append([]compute.Buffer{p.p, ids}, p.base...), nil)
	if err != nil {
		return weights.Array{}, err
	}
	defer finalizeAll(out...)
	shape := []int{b.B, b.T, p.config.VocabSize}
	flat, err := read(out[0], size(shape))
	return weights.Array{Shape: shape, Data: flat}, err
}

// Gradients returns the gradient of the batch's mean loss for every trainable tensor, and that loss, without an update.
// Dropout masks are those of step 1.
func (p *Program) Gradients(b Batch) (map[string]weights.Array, float64, error) {
	acc, _, err := p.accumulate(1, []Batch{b})
	if err != nil {
		return nil, 0, fmt.Errorf("gradients: %w", err)
	}
	defer finalizeAll(acc)
	flat, err := read(acc, p.layout.total+1)
	if err != nil {
		return nil, 0, err
	}
	return p.layout.unpack(flat[:p.layout.total]), float64(flat[p.layout.total]), nil
}

// State is all that changes while training: the adapter and AdamW's moments, under the keys of adapter files.
type State struct {
	Adapter, M, V map[string]weights.Array
}

// State reads the state from the device.
func (p *Program) State() (State, error) {
	var parts [3]map[string]weights.Array
	for i, b := range []compute.Buffer{p.p, p.m, p.v} {
		if b == nil {
			return State{}, errors.New("read state: lost in a failed step")
		}
		flat, err := read(b, p.layout.total)
		if err != nil {
			return State{}, fmt.Errorf("read state: %w", err)
		}
		parts[i] = p.layout.unpack(flat)
	}
	return State{Adapter: parts[0], M: parts[1], V: parts[2]}, nil
}

// SetState replaces the state. Steps then continue exactly as they would have.
func (p *Program) SetState(s State) error {
	var fresh [3]compute.Buffer
	for i, part := range []struct {
		what    string
		tensors map[string]weights.Array
	}{{"adapter", s.Adapter}, {"first moments", s.M}, {"second moments", s.V}} {
		flat, err := p.layout.pack(part.what, part.tensors)
		if err == nil {
			fresh[i], err = p.upload(flat, dtypes.Float32, p.layout.total)
		}
		if err != nil {
			finalizeAll(fresh[:]...)
			return err
		}
	}
	finalizeAll(p.p, p.m, p.v)
	p.p, p.m, p.v = fresh[0], fresh[1], fresh[2]
	return nil
}

// TrainableParams counts the adapter's parameters.
func (p *Program) TrainableParams() int64 { return int64(p.layout.total) }

// Close frees everything on the device.
func (p *Program) Close() {
	finalizeAll(p.base...)
	finalizeAll(p.p, p.m, p.v, p.zero)
	p.base, p.p, p.m, p.v, p.zero = nil, nil, nil, nil, nil
	p.apply.finalize()
	p.apply = nil
	for _, m := range []map[[2]int]*executable{p.gradient, p.evaluate, p.logits} {
		for _, e := range m {
			e.finalize()
		}
		clear(m)
	}
}

// trunk returns the model over graph inputs: the adapter's flat vector, dropout keys (or nil) and the base.
func (p *Program) trunk(adapter []*Node, keys *Node, base []*Node) trunk {
	specs := p.config.Tensors()
	tensors := make(map[string]*Node, len(specs))
	for i, s := range specs {
		tensors[s.Name] = base[i]
	}
	l := &lora{spec: p.options.LoRA, index: moduleIndex(p.options.Targets), tensors: p.layout.named(adapter), keys: keys}
	return trunk{Config: p.config, tensors: tensors, lora: l}
}

func (p *Program) baseShapes() []shapes.Shape {
	var all []shapes.Shape
	for _, s := range p.config.Tensors() {
		all = append(all, shapes.Make(p.dtype, s.Shape...))
	}
	return all
}

// gradientFor: (acc [N+1], p [N], batch…, scale, [keys], base…) -> acc + [gradient, loss].
func (p *Program) gradientFor(B, T int) (*executable, error) {
	in := append([]shapes.Shape{f32(p.layout.total + 1), f32(p.layout.total)}, batchShapes(B, T, B*(T-1), p.config.VocabSize)...)
	in = append(in, f32())
	dropout := p.options.LoRA.Dropout > 0
	if dropout {
		in = append(in, shapes.Make(dtypes.Uint32, len(p.options.Targets), 2))
	}
	return p.compiled(p.gradient, "training step", B, T, append(in, p.baseShapes()...), func(in []*Node) []*Node {
		acc, adapter, batch, rest := in[0], p.layout.nodes(in[1]), newBatchNodes(in[2:]), in[2+batchInputs:]
		scale, rest := rest[0], rest[1:]
		var keys *Node
		if dropout {
			keys, rest = rest[0], rest[1:]
		}
		nll, root := p.trunk(adapter, keys, rest).surrogate(batch, scale)
		grads := Gradient(root, adapter...)
		loss := Mul(ReduceAllSum(nll), scale)
		return []*Node{Add(acc, Concatenate([]*Node{p.layout.join(grads), Reshape(loss, 1)}, 0))}
	})
}

// evaluateFor: (p [N], batch…, base…) -> nll [k*c].
func (p *Program) evaluateFor(B, T int) (*executable, error) {
	in := append([]shapes.Shape{f32(p.layout.total)}, batchShapes(B, T, B*(T-1), p.config.VocabSize)...)
	return p.compiled(p.evaluate, "evaluation", B, T, append(in, p.baseShapes()...), func(in []*Node) []*Node {
		m := p.trunk(p.layout.nodes(in[0]), nil, in[1+batchInputs:])
		return []*Node{m.losses(newBatchNodes(in[1:]))}
	})
}

// logitsFor: (p [N], ids [B, T], base…) -> logits [B*T, V].
func (p *Program) logitsFor(B, T int) (*executable, error) {
	in := append([]shapes.Shape{f32(p.layout.total), i32(B, T)}, p.baseShapes()...)
	return p.compiled(p.logits, "logits", B, T, in, func(in []*Node) []*Node {
		m := p.trunk(p.layout.nodes(in[0]), nil, in[2:])
		logits := DotGeneral(m.hidden(in[1]), []int{1}, nil, m.head(), []int{1}, nil)
		return []*Node{ConvertDType(logits, dtypes.Float32)}
	})
}

func (p *Program) compiled(cache map[[2]int]*executable, name string, B, T int, in []shapes.Shape, fn func([]*Node) []*Node) (*executable, error) {
	if e, ok := cache[[2]int{B, T}]; ok {
		return e, nil
	}
	e, err := p.build(fmt.Sprintf("%s %dx%d", name, B, T), in, fn)
	if err != nil {
		return nil, err
	}
	cache[[2]int{B, T}] = e
	return e, nil
}

// compileApply: (p, m, v [N], acc [N+1], scheduled [3]) -> p, m, v, [loss, norm].
func (p *Program) compileApply() error {
	if p.apply != nil {
		return nil
	}
	n := p.layout.total
	optimizer := adamW{weightDecay: p.options.Train.WeightDecay, maxGradNorm: p.options.Train.MaxGradNorm}
	var err error
	p.apply, err = p.build("update", []shapes.Shape{f32(n), f32(n), f32(n), f32(n + 1), f32(3)}, func(in []*Node) []*Node {
		grad, loss := Slice(in[3], AxisRange(0, n)), Slice(in[3], AxisRange(n, n+1))
		p1, m1, v1, norm := optimizer.update(in[0], in[1], in[2], grad, in[4])
		return []*Node{p1, m1, v1, Concatenate([]*Node{loss, Reshape(norm, 1)}, 0)}
	})
	return err
}

// finite reports whether a loss can be trained on.
func (r StepResult) Finite() bool {
	return !math.IsNaN(r.Loss+r.GradNorm) && !math.IsInf(r.Loss+r.GradNorm, 0)
}

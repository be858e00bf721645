package model

import (
	"errors"
	"fmt"
	"math"
	"strings"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"

	"github.com/ranksweep/ranksweep/trainer/weights"
)

// PretrainOptions are the recipe of a base model.
type PretrainOptions struct {
	WeightDecay float64 // of every tensor
	MaxGradNorm float64 // 0 means no clipping
	Seed        int64   // of the initial weights
}

// Pretrainer trains every weight of a model from scratch. It is not safe for concurrent use.
type Pretrainer struct {
	parameters // all weights
	config     Config
	steps      int
	gradient   cache
	evaluate   forward
}

// NewPretrain puts freshly initialised weights on the backend's first device.
func NewPretrain(be compute.Backend, c Config, o PretrainOptions) (*Pretrainer, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	t := &Pretrainer{
		parameters: parameters{
			device: device{be}, layout: newLayout(c.Tensors()),
			optimizer: adamW{weightDecay: o.WeightDecay, maxGradNorm: o.MaxGradNorm},
		},
		config: c, gradient: cache{}, evaluate: forward{hidden: cache{}, head: cache{}},
	}
	if err := t.SetState(t.fresh(c.InitWeights(o.Seed))); err != nil {
		t.Close()
		return nil, err
	}
	return t, nil
}

// InitWeights returns initial weights as transformers makes them: normal with sd 0.02, biases 0, norms 1; GPT-2's residual
// projections divided by sqrt(2·layers) (Radford et al. 2019).
func (c Config) InitWeights(seed int64) map[string]weights.Array {
	const sd = 0.02
	base := map[string]weights.Array{}
	norms := map[string]bool{}
	for _, p := range c.stored() {
		norms[p.Name+".weight"] = p.norm
	}
	for _, s := range c.Tensors() {
		data := make([]float32, size(s.Shape))
		scale := sd
		if strings.HasSuffix(s.Name, "c_proj.weight") {
			scale /= math.Sqrt(2 * float64(c.Layers))
		}
		random := stream("weights", seed, s.Name)
		for i := range data {
			switch {
			case strings.HasSuffix(s.Name, ".bias"):
			case norms[s.Name]:
				data[i] = 1 - float32(c.arch().normOffset)
			default:
				data[i] = float32(scale * gaussian(random))
			}
		}
		base[s.Name] = weights.Array{Shape: s.Shape, Data: data}
	}
	return base
}

// Step is one AdamW step on a batch.
func (t *Pretrainer) Step(b Batch, lr float64) (StepResult, error) {
	r, err := t.step(b, lr)
	if err != nil {
		return r, fmt.Errorf("pretraining step %d: %w", t.steps+1, err)
	}
	t.steps++
	return r, nil
}

func (t *Pretrainer) step(b Batch, lr float64) (StepResult, error) {
	pl, err := b.plan(t.config)
	if err != nil {
		return StepResult{}, err
	}
	if pl.tokens == 0 {
		return StepResult{}, errors.New("no supervised token in the batch")
	}
	exec, err := t.gradientFor(b.B, b.T)
	if err != nil {
		return StepResult{}, err
	}
	scale := []float32{1 / float32(pl.tokens)}
	acc, err := t.onBatch(exec, b, pl, scale)
	if err != nil {
		return StepResult{}, err
	}
	r := StepResult{Tokens: int64(pl.tokens)}
	r.Loss, r.GradNorm, err = t.update(t.steps+1, acc, lr)
	return r, err
}

// Evaluate returns the summed nll of a batch in nats and its supervised tokens.
func (t *Pretrainer) Evaluate(b Batch) (lossSum float64, tokens int64, err error) {
	e := evaluator{
		device: t.device, forward: t.evaluate, config: t.config, params: f32(t.layout.total),
		trunk: func(params *Node, _ []*Node) trunk { return t.trunk(t.layout.nodes(params)) },
	}
	rows, err := e.score(t.p, b)
	if err != nil {
		return 0, 0, fmt.Errorf("evaluate: %w", err)
	}
	for _, v := range rows.nll[:rows.tokens] {
		lossSum += float64(v)
	}
	return lossSum, int64(rows.tokens), nil
}

// onBatch runs an executable of (p, batch…, scale) with one result.
func (t *Pretrainer) onBatch(exec *executable, b Batch, pl plan, scale []float32) (compute.Buffer, error) {
	batch, err := pl.upload(t.device, b)
	if err != nil {
		return nil, err
	}
	defer func() { finalizeAll(batch...) }()
	factor, err := t.upload(scale, dtypes.Float32)
	if err != nil {
		return nil, err
	}
	batch = append(batch, factor)
	out, err := exec.run(append([]compute.Buffer{t.p}, batch...), nil)
	if err != nil {
		return nil, err
	}
	return out[0], nil
}

// Weights reads the weights from the device, under their canonical names.
func (t *Pretrainer) Weights() (map[string]weights.Array, error) { return t.Adapter() }

// Close frees everything on the device.
func (t *Pretrainer) Close() {
	t.parameters.close()
	t.gradient.finalize()
	t.evaluate.finalize()
}

// gradientFor: (p [N], batch…, scale) -> [gradient, loss], [N+1].
func (t *Pretrainer) gradientFor(B, T int) (*executable, error) {
	return t.gradient.get(t.device, "pretraining step", B, T, t.inputs(B, T), func(in []*Node) []*Node {
		tensors := t.layout.nodes(in[0])
		nll := t.trunk(tensors).fullLosses(newBatchNodes(in[1:]))
		loss := Mul(ReduceAllSum(nll), in[1+batchInputs])
		return []*Node{Concatenate([]*Node{t.layout.join(Gradient(loss, tensors...)), Reshape(loss, 1)}, 0)}
	})
}

func (t *Pretrainer) inputs(B, T int) []shape {
	return append(append([]shape{f32(t.layout.total)}, batchShapes(B, T, t.config.VocabSize)...), f32())
}

func (t *Pretrainer) trunk(tensors []*Node) trunk {
	return newTrunk(t.config, t.layout.named(tensors), nil)
}

// fullLosses is losses with a head that trains: the logits of all rows at once, differentiated by GoMLX.
func (m trunk) fullLosses(b batchNodes) *Node {
	x := takeRows(m.hidden(b.ids, b.positions), b.rows)
	logits := m.logits(x) // [k*c, V]
	shifted := Sub(logits, StopGradient(ReduceAndKeep(logits, ReduceMax, -1)))
	hit := Equal(Iota(x.Graph(), i32(logits.Shape().Dimensions...), 1),
		BroadcastToDims(ExpandAxes(b.targets, -1), logits.Shape().Dimensions...))
	target := ReduceSum(Where(hit, shifted, ZerosLike(shifted)), -1)
	return supervised(Sub(Log(ReduceSum(Exp(shifted), -1)), target), b)
}

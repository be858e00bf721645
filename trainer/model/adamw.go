package model

import (
	"math"
	"slices"
	"strings"

	. "github.com/gomlx/gomlx/core/graph"

	"github.com/ranksweep/ranksweep/sweep/lora"
)

// AdamW's constants: the defaults of torch.optim.AdamW and of Hugging Face's TrainingArguments.
const (
	beta1   = 0.9
	beta2   = 0.999
	adamEps = 1e-8
	clipEps = 1e-6 // torch.nn.utils.clip_grad_norm_
)

// adamW is decoupled weight decay Adam (Loshchilov and Hutter 2019) over flat vectors, after clipping by the global norm.
type adamW struct {
	weightDecay float64
	maxGradNorm float64 // 0 means no clipping
	groups      []group // of the vector, in order; nil: all alike
}

// group is a run of values that learn at rate times the learning rate and decay at decay times the weight decay.
type group struct {
	size        int
	rate, decay float64
}

// loraPlus returns the groups of LoRA+ (Hayou et al. 2024), as PEFT's create_loraplus_optimizer makes them: LoRA on an embedding at
// its own rate, B and everything of one dimension at the ratio, the rest as it is; biases and layer norms, which are the vectors
// that have a bias beside them, do not decay. lr is the peak learning rate.
func loraPlus(trained []lora.Trainable, l lora.Spec, lr float64) []group {
	if l.LoRAPlusLRRatio == 0 {
		return nil
	}
	groups := make([]group, len(trained))
	for i, t := range trained {
		groups[i] = group{int(t.Size()), 1, 1}
		switch {
		case strings.Contains(t.Key, ".lora_embedding_"):
			groups[i].rate = l.LoRAPlusLREmbedding / lr
		case t.Role == lora.RoleB || len(t.Shape) == 1:
			groups[i].rate = l.LoRAPlusLRRatio
			if isBias(t) || slices.ContainsFunc(trained,
				func(b lora.Trainable) bool { return isBias(b) && b.Module == t.Module && t.Role == lora.RoleSaved }) {
				groups[i].decay = 0
			}
		}
	}
	return groups
}

func isBias(t lora.Trainable) bool { return strings.HasSuffix(t.Tensor, ".bias") }

// vector returns a value for each of the groups, spread over the whole vector.
func (o adamW) vector(g *Graph, of func(group) float64) *Node {
	var parts []*Node
	for _, run := range o.groups {
		parts = append(parts, BroadcastToDims(Const(g, float32(of(run))), run.size))
	}
	return Concatenate(parts, 0)
}

// schedule returns what changes from step to step, for update: the learning rate and the two bias corrections.
func schedule(step int, lr float64) []float32 {
	t := float64(step)
	return []float32{float32(lr), float32(1 / (1 - math.Pow(beta1, t))), float32(1 / (1 - math.Pow(beta2, t)))}
}

// update returns the new parameters and moments and the gradient's norm before clipping.
func (o adamW) update(p, m, v, grad, scheduled *Node) (p1, m1, v1, norm *Node) {
	at := func(i int) *Node { return Reshape(Slice(scheduled, AxisElem(i))) }
	lr, correct1, correct2 := at(0), at(1), at(2)
	norm = Sqrt(ReduceAllSum(Square(grad)))
	if o.maxGradNorm > 0 {
		clip := Div(ConstAs(norm, o.maxGradNorm), AddScalar(norm, clipEps))
		grad = Mul(grad, MinScalar(clip, 1.0))
	}
	m1 = Add(MulScalar(m, beta1), MulScalar(grad, 1-beta1))
	v1 = Add(MulScalar(v, beta2), MulScalar(Square(grad), 1-beta2))
	if o.groups != nil {
		lr = Mul(BroadcastToDims(lr, p.Shape().Dimensions...), o.vector(p.Graph(), func(g group) float64 { return g.rate }))
		p1 = Mul(p, OneMinus(Mul(MulScalar(lr, o.weightDecay), o.vector(p.Graph(), func(g group) float64 { return g.decay }))))
	} else {
		p1 = Mul(p, OneMinus(MulScalar(lr, o.weightDecay)))
	}
	step := Div(Mul(m1, correct1), AddScalar(Sqrt(Mul(v1, correct2)), adamEps))
	return Sub(p1, Mul(lr, step)), m1, v1, norm
}

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
		groups[i] = group{size(wideShape(t)), 1, 1}
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

// schedule returns what changes from step to step or from trial to trial, for update: the learning rate, the two bias corrections, the
// weight decay, the largest norm, and each group's rate and decay.
func (o adamW) schedule(step int, lr float64) []float32 {
	t, most := float64(step), o.maxGradNorm
	if most <= 0 {
		most = math.Inf(1)
	}
	all := []float32{
		float32(lr), float32(1 / (1 - math.Pow(beta1, t))), float32(1 / (1 - math.Pow(beta2, t))),
		float32(o.weightDecay), float32(most),
	}
	for _, g := range o.groups {
		all = append(all, float32(g.rate), float32(g.decay))
	}
	return all
}

// scheduled is the length of schedule.
func (o adamW) scheduled() int { return firstGroup + 2*len(o.groups) }

const firstGroup = 5 // of schedule

// update returns the new parameters and moments and the gradient's norm before clipping.
func (o adamW) update(p, m, v, grad, scheduled *Node) (p1, m1, v1, norm *Node) {
	at := func(i int) *Node { return Reshape(Slice(scheduled, AxisElem(i))) }
	lr, correct1, correct2, weightDecay, most := at(0), at(1), at(2), at(3), at(4)
	norm = Sqrt(ReduceAllSum(Square(grad)))
	clip := Div(most, AddScalar(norm, clipEps))
	grad = Mul(grad, MinScalar(clip, 1.0))
	m1 = Add(MulScalar(m, beta1), MulScalar(grad, 1-beta1))
	v1 = Add(MulScalar(v, beta2), MulScalar(Square(grad), 1-beta2))
	if o.groups != nil {
		vector := func(column int) *Node { // a value for each of the groups, spread over the whole vector
			var parts []*Node
			for i, run := range o.groups {
				parts = append(parts, BroadcastToDims(at(firstGroup+2*i+column), run.size))
			}
			return Concatenate(parts, 0)
		}
		lr = Mul(BroadcastToDims(lr, p.Shape().Dimensions...), vector(0))
		p1 = Mul(p, OneMinus(Mul(Mul(lr, weightDecay), vector(1))))
	} else {
		p1 = Mul(p, OneMinus(Mul(lr, weightDecay)))
	}
	step := Div(Mul(m1, correct1), AddScalar(Sqrt(Mul(v1, correct2)), adamEps))
	return Sub(p1, Mul(lr, step)), m1, v1, norm
}

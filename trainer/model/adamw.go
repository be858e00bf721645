package model

import (
	"math"

	. "github.com/gomlx/gomlx/core/graph"
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
	p1 = Mul(p, OneMinus(MulScalar(lr, o.weightDecay)))
	step := Div(Mul(m1, correct1), AddScalar(Sqrt(Mul(v1, correct2)), adamEps))
	return Sub(p1, Mul(lr, step)), m1, v1, norm
}

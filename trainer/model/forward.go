package model

import (
	"math"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/go-xla/compute/xla"
	. "github.com/gomlx/gomlx/core/graph"
)

// trunk is the model up to the final norm, as a graph function over rows: activations are [n, C] with n = B·T, and only
// attention looks at B and T apart.
type trunk struct {
	Config
	tensors map[string]*Node // by canonical name, in the compute type
	lora    *lora            // nil without adapter
}

// hidden returns the hidden states after the final norm, [B*T, C], for token ids [B, T].
func (m trunk) hidden(ids *Node) *Node {
	states := m.states(ids)
	return states[len(states)-1]
}

// states returns what Hugging Face calls hidden_states, each [B*T, C]: the embedding, every block's output but the last, and
// the last after the final norm.
func (m trunk) states(ids *Node) []*Node {
	B, T := ids.Shape().Dimensions[0], ids.Shape().Dimensions[1]
	tokens := Gather(m.tensors[tokenEmbedding], Reshape(ids, B, T, 1)) // [B, T, C]
	positions := Slice(m.tensors[positionEmbedding], AxisRange(0, T))  // [T, C]
	x := Reshape(Add(tokens, ExpandAxes(positions, 0)), B*T, m.Embed)
	states := []*Node{x}
	for i := range m.Layers {
		x = m.block(x, i, B, T)
		if i < m.Layers-1 {
			states = append(states, x)
		}
	}
	return append(states, m.norm(x, "transformer.ln_f"))
}

// head returns the output head, [V, C].
func (m trunk) head() *Node {
	if m.TieHead {
		return m.tensors[tokenEmbedding]
	}
	return m.tensors[untiedHead]
}

func (m trunk) block(x *Node, i, B, T int) *Node {
	h := m.linear(m.norm(x, layer(i, "ln_1")), layer(i, "attn.c_attn"))
	h = m.attention(h, i, B, T)
	x = Add(x, m.linear(h, layer(i, "attn.c_proj")))
	h = m.linear(m.norm(x, layer(i, "ln_2")), layer(i, "mlp.c_fc"))
	h = activate(h, m.Activation)
	return Add(x, m.linear(h, layer(i, "mlp.c_proj")))
}

// norm is layer normalisation over C, in float32 whatever the compute type, as torch's.
func (m trunk) norm(x *Node, module string) *Node {
	dtype := x.DType()
	x = ConvertDType(x, dtypes.Float32)
	weight := ConvertDType(m.tensors[module+".weight"], dtypes.Float32)
	bias := ConvertDType(m.tensors[module+".bias"], dtypes.Float32)
	centred := Sub(x, ReduceAndKeep(x, ReduceMean, -1))
	variance := ReduceAndKeep(Square(centred), ReduceMean, -1)
	y := Div(centred, Sqrt(AddScalar(variance, m.Epsilon)))
	y = Add(Mul(y, ExpandAxes(weight, 0)), ExpandAxes(bias, 0))
	return ConvertDType(y, dtype)
}

// linear is x·W + b for x [n, in] and a Conv1D weight [in, out], with the module's LoRA where it has one.
func (m trunk) linear(x *Node, module string) *Node {
	y := dot(x, 1, m.tensors[module+".weight"], 0)
	y = Add(y, ExpandAxes(m.tensors[module+".bias"], 0))
	if m.lora == nil {
		return y
	}
	return m.lora.add(y, x, module)
}

// attention is causal multi-head attention over qkv [B*T, 3C]; it returns [B*T, C].
func (m trunk) attention(qkv *Node, i, B, T int) *Node {
	H, D := m.Heads, m.Embed/m.Heads
	part := func(k int) *Node {
		return Reshape(Slice(qkv, AxisRange(), AxisRange(k*m.Embed, (k+1)*m.Embed)), B, T, H, D)
	}
	scores := product(part(0), part(1)).Einsum("bthd,bshd->bhts")
	scores = ConvertDType(scores, dtypes.Float32)
	scores = MulScalar(scores, m.scoreScale(i))
	g := qkv.Graph()
	shape := shapes.Make(dtypes.Int32, 1, 1, T, T)
	causal := GreaterOrEqual(Iota(g, shape, 2), Iota(g, shape, 3))
	causal = BroadcastToDims(causal, B, H, T, T)
	scores = Where(causal, scores, FillScalar(g, scores.Shape(), -math.MaxFloat32))
	p := ConvertDType(softmax(scores), qkv.DType())
	return Reshape(product(p, part(2)).Einsum("bhts,bshd->bthd"), B*T, m.Embed)
}

// dot contracts one axis of two matrices.
func dot(x *Node, xAxis int, w *Node, wAxis int) *Node {
	return product(x, w).General([]int{xAxis}, nil, []int{wAxis}, nil)
}

// product begins a product. In bfloat16 GoMLX asks for a float32 accumulator; go-xla answers by copying the weight and
// computing in float32 (and cannot inside a loop), while XLA's plain bfloat16 product accumulates in float32 anyway.
func product(x, w *Node) *DotBuilder {
	b := Dot(x, w)
	if _, ok := x.Graph().Backend().(*xla.Backend); ok {
		b = b.WithAccumulatorDType(x.DType())
	}
	return b
}

func (m trunk) scoreScale(i int) float64 {
	scale := 1.0
	if m.ScaleScores {
		scale /= math.Sqrt(float64(m.Embed / m.Heads))
	}
	if m.ScaleByLayer {
		scale /= float64(i + 1)
	}
	return scale
}

// softmax over the last axis. The maximum carries no gradient: the result does not depend on it.
func softmax(x *Node) *Node {
	e := Exp(Sub(x, StopGradient(ReduceAndKeep(x, ReduceMax, -1))))
	return Div(e, ReduceAndKeep(e, ReduceSum, -1))
}

func activations() []string { return []string{"gelu_new", "gelu_pytorch_tanh", "gelu", "relu"} }

func activate(x *Node, activation string) *Node {
	switch activation {
	case "gelu":
		return Mul(MulScalar(x, 0.5), OnePlus(Erf(MulScalar(x, math.Sqrt2/2))))
	case "relu":
		return MaxScalar(x, 0.0)
	}
	cubic := MulScalar(Mul(Square(x), x), 0.044715)
	t := Tanh(MulScalar(Add(x, cubic), math.Sqrt(2/math.Pi)))
	return Mul(MulScalar(x, 0.5), OnePlus(t))
}

package model

import (
	"math"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"

	"github.com/ranksweep/ranksweep/sweep/lora"
)

// trunk is the model up to the final norm, as a graph function over rows: activations are [n, C] with n = B·T, and only
// attention looks at B and T apart.
type trunk struct {
	Config
	arch    architecture
	modules map[string]lora.Module
	tensors map[string]*Node  // by canonical name, in the compute type; trainable ones take the base's place
	blocks  map[string]blocks // weights of the base that stay quantised, which are then not among the tensors
	lora    *loraGraph        // nil without adapter
	inputs  map[string]*Node  // where linear leaves its inputs, by module; nil where nobody asks

	trainsHead    bool // the output head, or an adapter of it, trains
	checkpointing bool // the backward pass keeps only a block's input and computes the rest again
}

func newTrunk(c Config, tensors map[string]*Node, l *loraGraph) trunk {
	m := trunk{Config: c, arch: c.arch(), modules: map[string]lora.Module{}, tensors: tensors, lora: l}
	for _, module := range c.Modules() {
		m.modules[module.Name] = module
	}
	return m
}

// places are the tokens of a batch inside a graph: their ids, their positions, and what they see.
type places struct {
	B, T           int
	ids, positions *Node                    // [B, T] int32; positions count from 0 in every document
	sees           *Node                    // [B, T, T] bool: does t see s, in the layer at hand
	all, near      *Node                    // what sees is in a layer without and with the window
	cos, sin       *Node                    // [B, T, 1, n/2] float32 where n dimensions turn; nil without rotary positions
	local          struct{ cos, sin *Node } // those of LocalRope
}

// places prepares what every layer needs, once.
func (m trunk) places(ids, positions *Node) places {
	dims := ids.Shape().Dimensions
	in := places{B: dims[0], T: dims[1], ids: ids, positions: positions}
	in.all = sees(positions, 0)
	if m.Window > 0 {
		in.near = sees(positions, m.Window)
	}
	if m.Rope.Theta > 0 {
		in.cos, in.sin = m.Rope.angles(positions, m.HeadDim)
	}
	if m.LocalRope.Theta > 0 {
		in.local.cos, in.local.sin = m.LocalRope.angles(positions, m.HeadDim)
	}
	return in
}

// layer returns the places as a layer with or without the window sees them.
func (in places) layer(windowed bool) places {
	in.sees = in.all
	if windowed {
		in.sees = in.near
	}
	return in
}

// sees returns the attention mask, [B, T, T]: t sees itself and what comes before it in its document and, unless 0, in its window. A
// token at position p of its document has p tokens of it before it in the row, so the positions alone tell documents apart.
func sees(positions *Node, window int) *Node {
	B, T := positions.Shape().Dimensions[0], positions.Shape().Dimensions[1]
	reach := positions
	if window > 0 {
		reach = MinScalar(positions, int32(window-1))
	}
	shape := shapes.Make(dtypes.Int32, B, T, T)
	back := Sub(Iota(positions.Graph(), shape, 1), Iota(positions.Graph(), shape, 2))
	reach = BroadcastToDims(ExpandAxes(reach, -1), B, T, T)
	return LogicalAnd(GreaterOrEqual(back, ZerosLike(back)), LessOrEqual(back, reach))
}

// hidden returns what the output head is given for token ids and positions [B, T]: the hidden states after the final norm, [B*T, C],
// which carry the scale of the logits.
func (m trunk) hidden(ids, positions *Node) *Node {
	states := m.states(ids, positions)
	return times(states[len(states)-1], m.LogitScale)
}

// states returns what Hugging Face calls hidden_states, each [B*T, C]: the embedding, every block's output but the last, and
// the last after the final norm.
func (m trunk) states(ids, positions *Node) []*Node {
	in := m.places(ids, positions)
	x := m.arch.begin(m, in)
	states := []*Node{x}
	for i := range m.Layers {
		if m.checkpointing {
			// GoMLX computes what follows again from x plus 0 times a gradient, which XLA can neither fold nor merge with the first time.
			x = x.Checkpoint()
		}
		x = m.arch.block(m, x, i, in.layer(m.windowed(i)))
		if i < m.Layers-1 {
			states = append(states, x)
		}
	}
	if m.checkpointing {
		x = x.StopCheckpoint()
	}
	return append(states, m.end(x))
}

func (m trunk) end(x *Node) *Node {
	if m.arch.end != nil {
		return m.arch.end(m, x)
	}
	return m.norm(x, m.arch.finalNorm)
}

func (m trunk) norm(x *Node, module string) *Node { return m.arch.norm(m, x, module) }

// embed returns the embedding module's rows for ids [B, T], [B*T, C].
func (m trunk) embed(ids *Node, module string) *Node {
	ids = Reshape(ids, ids.Shape().Size())
	name := module + ".weight"
	var rows *Node
	if quantised, ok := m.blocks[name]; ok {
		rows = quantised.rows(ids)
	} else {
		rows = takeRows(m.tensors[name], ids)
	}
	if m.lora == nil {
		return rows
	}
	return m.lora.embed(rows, ids, m.weight(name, rows), m.modules[module])
}

// head returns the output head's weight for hidden states x, [V, C]. A tied one is a tensor of its own only where it or the embedding
// trains.
func (m trunk) head(x *Node) *Node {
	if own := m.weight(headName+".weight", x); own != nil {
		return own
	}
	return m.weight(m.arch.tokens+".weight", x)
}

// linearCall is one use of a linear module, as its adapter sees it.
type linearCall struct {
	lora.Module
	x, y   *Node               // [n, in] and the module's own output [n, out]
	weight *Node               // [in, out] where Conv1D, else [out, in]; of blocks as numbers, for what carries no gradient
	times  func(x *Node) *Node // x·W in x's type
	bias   *Node               // [out]; nil where the module has none
}

// linear is x·W + b for x [n, in], with the module's LoRA where it has one.
func (m trunk) linear(x *Node, module string) *Node {
	if m.inputs != nil {
		m.inputs[module] = x
	}
	name := module + ".weight"
	call := linearCall{Module: m.modules[module], x: x, weight: m.weight(name, x), bias: m.tensors[module+".bias"]}
	call.times = func(x *Node) *Node {
		if quantised, ok := m.blocks[name]; ok {
			quantised.dtype = x.DType()
			return quantised.dot(x, inAxis(call.Module))
		}
		return dot(x, 1, ConvertDType(call.weight, x.DType()), inAxis(call.Module))
	}
	call.y = call.times(x)
	if call.bias != nil {
		call.y = Add(call.y, ExpandAxes(call.bias, 0))
	}
	if m.lora == nil {
		return call.y
	}
	return m.lora.add(call)
}

func activations() []string { return []string{"gelu_new", "gelu_pytorch_tanh", "gelu", "relu", "silu"} }

func activate(x *Node, activation string) *Node {
	switch activation {
	case "silu":
		return Mul(x, Sigmoid(x))
	case "gelu":
		return Mul(MulScalar(x, 0.5), OnePlus(Erf(MulScalar(x, math.Sqrt2/2))))
	case "relu":
		return MaxScalar(x, 0.0)
	}
	cubic := MulScalar(Mul(Square(x), x), 0.044715)
	t := Tanh(MulScalar(Add(x, cubic), math.Sqrt(2/math.Pi)))
	return Mul(MulScalar(x, 0.5), OnePlus(t))
}

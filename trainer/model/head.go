package model

import (
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"

	"github.com/ranksweep/ranksweep/trainer/weights"
)

// headPart is one product of the output head: the logits of rows x [n, K] are the sum of x·wᵀ over the parts.
type headPart struct {
	x      *Node // [n, K]
	w      *Node // [V, K]
	trains bool  // w depends on something that trains
}

// headParts returns the output head for hidden states x [n, C]: its weight, and beside it LoRA's B over the r numbers that A makes of
// x. DoRA stretches rows of both, and with dropout needs W·x twice.
func (m trunk) headParts(x *Node) []headPart {
	w := m.head(x)
	l := m.lora
	if l == nil || !m.trainsHead {
		return []headPart{{x, w, false}}
	}
	if _, targeted := l.index[headName]; !targeted {
		return []headPart{{x, w, true}}
	}
	dropped, kept := l.input(x, headName)
	parts := []headPart{{x, w, false}}
	if kept != nil {
		parts = append(parts, headPart{kept, l.start[weights.KeyB(headName)], false})
	}
	u := l.scaled(dot(dropped, 1, l.tensors[weights.KeyA(headName)], 1), headName)
	b := l.tensors[weights.KeyB(headName)]
	if !l.spec.UseDoRA {
		return append(parts, headPart{u, b, true})
	}
	g := ExpandAxes(l.stretch(m.modules[headName], w), -1) // [V, 1]
	w32, branch := ConvertDType(w, dtypes.Float32), headPart{u, Mul(g, b), true}
	if l.keys == nil {
		return []headPart{{dropped, Mul(g, w32), true}, branch}
	}
	return append(parts, headPart{dropped, Mul(SubScalar(g, 1), w32), true}, branch)
}

// logits returns the logits of hidden states x [n, C], [n, V].
func (m trunk) logits(x *Node) *Node {
	parts := m.headParts(x)
	if len(parts) == 1 && m.LogitCap == 0 {
		return dot(parts[0].x, 1, parts[0].w, 1)
	}
	return softcap(sumOf(parts), m.LogitCap)
}

// sumOf adds up what the parts contribute, in float32: as PEFT, whose branch is float32 whatever the base is.
func sumOf(parts []headPart) *Node {
	var z *Node
	for _, p := range parts {
		z = plus(z, ConvertDType(dot(p.x, 1, p.w, 1), dtypes.Float32))
	}
	return z
}

// headLoss is crossEntropy for a head that trains. It too walks over chunks of rows and never holds the logits of all; beside the
// gradients of the parts' rows it gathers those of their weights, one array of a weight's size each.
type headLoss struct {
	chunks, rows int     // k chunks of c rows
	cap          float64 // Config.LogitCap
}

// headRows is what headLoss says of rows.
type headRows struct {
	nll    *Node   // [k*c] float32
	dx, dw []*Node // one a part
}

// run returns every row's negative log-likelihood in nats, [k*c] float32, and for each part the gradient of their sum
// with respect to x, [k*c, K], and to w, [V, K] float32 (nil where it does not train). Rows from tokens on are left out of the
// gradients; their losses mean nothing.
func (h headLoss) run(parts []headPart, targets, tokens *Node) headRows {
	g := targets.Graph()
	k, c := h.chunks, h.rows
	state := h.start(g, parts)
	ones := Ones(g, f32(parts[0].w.Shape().Dimensions[0]))
	chunked := make([]*Node, len(parts))
	for i, p := range parts {
		chunked[i] = Reshape(p.x, k, c, p.x.Shape().Dimensions[1])
	}
	targets = Reshape(targets, k, c)
	live := Div(AddScalar(tokens, c-1), Scalar(g, dtypes.Int32, c))
	// How many rows of each chunk count. Inside a loop go-xla cannot add or subtract what is outside.
	left := Sub(BroadcastToDims(tokens, k), MulScalar(Iota(g, i32(k), 0), c))
	more := NewClosure(g, func(g *Graph) []*Node {
		return []*Node{LessThan(stateParameters(g, state)[0], live)}
	})
	body := NewClosure(g, func(g *Graph) []*Node {
		now := stateParameters(g, state)
		at := Reshape(now[0], 1)
		piece := make([]headPart, len(parts))
		for i, p := range parts {
			piece[i] = headPart{Gather(chunked[i], at), p.w, p.trains}
		}
		one := Const(g, int32(1)) // not ScalarOne, whose node is shared with the graph outside
		found := h.chunk(piece, Gather(targets, at), Gather(left, at), ones)
		next := []*Node{Add(now[0], one), replace(now[1], now[0], found.nll)}
		for _, d := range found.dx {
			next = append(next, replace(now[len(next)], now[0], d))
		}
		for _, d := range found.dw {
			next = append(next, Add(now[len(next)], d))
		}
		return next
	})
	return h.collect(While(more, body, state...), parts)
}

// start is the loop's state before the first chunk: its number, the losses, and then what run says.
func (h headLoss) start(g *Graph, parts []headPart) []*Node {
	k, c := h.chunks, h.rows
	state := []*Node{ScalarZero(g, dtypes.Int32), Zeros(g, f32(k, c))}
	for _, p := range parts {
		state = append(state, Zeros(g, shapes.Make(p.x.DType(), k, c, p.x.Shape().Dimensions[1])))
	}
	for _, p := range parts {
		if p.trains {
			state = append(state, Zeros(g, f32(p.w.Shape().Dimensions...)))
		}
	}
	return state
}

// collect puts the rows of the loop's last state together.
func (h headLoss) collect(final []*Node, parts []headPart) headRows {
	rows := h.chunks * h.rows
	out := headRows{nll: Reshape(final[1], rows), dw: make([]*Node, len(parts))}
	final = final[2:]
	sums := final[len(parts):]
	for i, p := range parts {
		out.dx = append(out.dx, Reshape(final[i], rows, p.x.Shape().Dimensions[1]))
		if p.trains {
			out.dw[i], sums = sums[0], sums[1:]
		}
	}
	return out
}

// chunk computes rows [c, K] of each part, of which the first left count. dw has an entry for each part that trains.
func (h headLoss) chunk(parts []headPart, targets, left, ones *Node) headRows {
	g := targets.Graph()
	z := softcap(sumOf(parts), h.cap) // [c, V]
	dims := z.Shape().Dimensions
	zero := BroadcastToDims(Const(g, float32(0)), dims...)
	top := Neg(ReduceMin(Neg(z), -1))
	e := Exp(Sub(z, ExpandAxes(top, -1)))
	sum := dot(e, 1, ones, 0)
	hit := Equal(Iota(g, i32(dims...), 1), ExpandAxes(targets, -1))
	out := headRows{nll: Sub(Add(top, Log(sum)), dot(Where(hit, z, zero), 1, ones, 0))}
	one := BroadcastToDims(Const(g, float32(1)), dims...)
	d := Sub(Div(e, ExpandAxes(sum, -1)), Where(hit, one, zero))
	counts := LessThan(Iota(g, i32(dims...), 0), BroadcastToDims(left, dims...))
	if h.cap > 0 {
		d = Mul(d, capSlope(z, h.cap))
	}
	d = Where(counts, d, zero)
	for _, p := range parts {
		out.dx = append(out.dx, dot(ConvertDType(d, p.x.DType()), 1, p.w, 0))
		if p.trains {
			out.dw = append(out.dw, dot(d, 0, ConvertDType(p.x, dtypes.Float32), 0))
		}
	}
	return out
}

// headSurrogate is surrogate with a head that trains: the gradients with respect to the parts' rows and weights come finished
// from the chunked loss, and the scalar is their inner products.
func (m trunk) headSurrogate(b batchNodes, scale *Node) (nll, root *Node) {
	parts := m.headParts(m.hidden(b.ids, b.positions))
	stopped := make([]headPart, len(parts))
	for i, p := range parts {
		stopped[i] = headPart{StopGradient(takeRows(p.x, b.rows)), StopGradient(p.w), p.trains}
	}
	out := m.headLoss(b).run(stopped, b.targets, b.tokens)
	for i, p := range parts {
		root = plus(root, inner(p.x, b.spread(out.dx[i], scale)))
		if p.trains {
			root = plus(root, Mul(inner(p.w, out.dw[i]), scale))
		}
	}
	return supervised(out.nll, b), root
}

func (m trunk) headLoss(b batchNodes) headLoss {
	B, T := b.ids.Shape().Dimensions[0], b.ids.Shape().Dimensions[1]
	chunks, rows := chunking(B*(T-1), m.VocabSize)
	return headLoss{chunks: chunks, rows: rows, cap: m.LogitCap}
}

func plus(sum, x *Node) *Node {
	if sum == nil {
		return x
	}
	return Add(sum, x)
}

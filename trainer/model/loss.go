package model

import (
	"fmt"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
)

// crossEntropy scores rows of hidden states against the frozen output head without ever holding the logits of all rows:
// it walks over chunks of rows in a loop, and because the head is frozen each chunk's gradient with respect to the hidden
// states is finished before the next chunk's logits exist.
type crossEntropy struct {
	head   *Node   // [V, C]
	chunks int     // k
	rows   int     // c, rows of a chunk
	cap    float64 // Config.LogitCap
}

// chunkLogits bounds the values in one chunk's logits: 8M floats are 32 MiB, 160 rows of GPT-2's vocabulary.
const chunkLogits = 8 << 20

// chunking divides rows evenly into the fewest chunks within the bound.
func chunking(rows, vocab int) (chunks, perChunk int) {
	chunks = min(rows, (rows*vocab+chunkLogits-1)/chunkLogits)
	perChunk = (rows + chunks - 1) / chunks
	return chunks, perChunk
}

// crossRows is what crossEntropy says of rows.
type crossRows struct {
	nll *Node // negative log-likelihood in nats, [k*c] float32
	dx  *Node // its gradient with respect to x, [k*c, C]
}

// run scores hidden states x [k*c, C] against targets [k*c]. Only chunks that begin before row tokens are computed; the
// others' rows mean nothing.
//
// With z = x·headᵀ, nll = log Σ exp z - z[target], and its gradient is softmax(z)·head - head[target]: the loop only finds
// the row's log-sum and softmax(z)·head, and the target is looked up outside it. No one-hot, no second copy. Capped logits
// have the gradient of z times the slope of the cap there.
func (ce crossEntropy) run(x, targets, tokens *Node) crossRows {
	found := ce.loop(x, tokens)
	target := Gather(ce.head, ExpandAxes(targets, -1)) // [k*c, C]
	product := Mul(ConvertDType(x, dtypes.Float32), ConvertDType(target, dtypes.Float32))
	z := softcap(ReduceSum(product, -1), ce.cap)
	if ce.cap > 0 {
		target = Mul(target, ConvertDType(ExpandAxes(capSlope(z, ce.cap), -1), target.DType()))
	}
	return crossRows{nll: Sub(found.logSum, z), dx: Sub(found.mean, target)}
}

// sums is what a walk over the logits z finds: log Σ exp z, [n], and softmax(z)·head, [n, C].
type sums struct{ logSum, mean *Node }

// loop walks over the chunks.
func (ce crossEntropy) loop(x, tokens *Node) sums {
	g, C := x.Graph(), x.Shape().Dimensions[1]
	ones := Ones(g, f32(ce.head.Shape().Dimensions[0]))
	if ce.chunks == 1 {
		return ce.chunk(x, ones)
	}
	k, c := ce.chunks, ce.rows
	x = Reshape(x, k, c, C)
	live := Div(AddScalar(tokens, c-1), Scalar(g, dtypes.Int32, c))
	state := []*Node{ScalarZero(g, dtypes.Int32), Zeros(g, f32(k, c)), ZerosLike(x)}
	more := NewClosure(g, func(g *Graph) []*Node {
		return []*Node{LessThan(stateParameters(g, state)[0], live)}
	})
	body := NewClosure(g, func(g *Graph) []*Node {
		now := stateParameters(g, state)
		at := Reshape(now[0], 1)
		found := ce.chunk(Gather(x, at), ones)
		one := Const(g, int32(1)) // not ScalarOne, whose node is shared with the graph outside
		return []*Node{Add(now[0], one), replace(now[1], now[0], found.logSum), replace(now[2], now[0], found.mean)}
	})
	final := While(more, body, state...)
	return sums{logSum: Reshape(final[1], k*c), mean: Reshape(final[2], k*c, C)}
}

func stateParameters(g *Graph, state []*Node) []*Node {
	nodes := make([]*Node, len(state))
	for i, s := range state {
		nodes[i] = Parameter(g, fmt.Sprintf("state%d", i), s.Shape())
	}
	return nodes
}

// replace puts part in place of element i of the first axis of whole.
func replace(whole, i, part *Node) *Node {
	dims := whole.Shape().Dimensions
	position := Iota(whole.Graph(), i32(dims...), 0)
	here := Equal(position, BroadcastToDims(i, dims...))
	return Where(here, BroadcastToDims(ExpandAxes(part, 0), dims...), whole)
}

// chunk computes x [c, C]; ones is [V]. It runs inside a loop, where go-xla cannot reuse a reduction that the main
// graph also has: so the maximum is a minimum of negatives, and the sum a product with ones.
func (ce crossEntropy) chunk(x, ones *Node) sums {
	z := softcap(ConvertDType(dot(x, 1, ce.head, 1), dtypes.Float32), ce.cap) // [c, V]
	top := Neg(ReduceMin(Neg(z), -1))
	e := Exp(Sub(z, ExpandAxes(top, -1)))
	sum := dot(e, 1, ones, 0)
	if ce.cap > 0 {
		e = Mul(e, capSlope(z, ce.cap))
	}
	mean := dot(ConvertDType(e, x.DType()), 1, ce.head, 0) // [c, C]
	mean = Div(ConvertDType(mean, dtypes.Float32), ExpandAxes(sum, -1))
	return sums{logSum: Add(top, Log(sum)), mean: ConvertDType(mean, x.DType())}
}

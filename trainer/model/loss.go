package model

import (
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph" //nolint:revive // graph code reads as formulas
)

// crossEntropy scores rows of hidden states against the frozen output head without ever holding the logits of all rows:
// it walks over chunks of rows in a loop, and because the head is frozen each chunk's gradient with respect to the hidden
// states is finished before the next chunk's logits exist.
type crossEntropy struct {
	head     *Node // [V, C]
	chunks   int   // k
	rows     int   // c, rows of a chunk
	gradient bool  // also compute the gradient
}

// chunkLogits bounds the values in one chunk's logits: 8M floats are 32 MiB, 160 rows of GPT-2's vocabulary.
const chunkLogits = 8 << 20

// chunking divides rows evenly into the fewest chunks within the bound.
func chunking(rows, vocab int) (chunks, perChunk int) {
	chunks = (rows*vocab + chunkLogits - 1) / chunkLogits
	perChunk = (rows + chunks - 1) / chunks
	return chunks, perChunk
}

// run returns every row's negative log-likelihood in nats, [k*c] float32, and its gradient with respect to x, [k*c, C] (nil
// unless wanted), for hidden states x [k*c, C] and targets [k*c]. Only chunks that begin before row tokens are computed; the
// others' rows are zero.
func (ce crossEntropy) run(x, targets, tokens *Node) (nll, dx *Node) {
	if ce.chunks == 1 {
		return ce.chunk(x, targets)
	}
	g, C := x.Graph(), x.Shape().Dimensions[1]
	k, c := ce.chunks, ce.rows
	x, targets = Reshape(x, k, c, C), Reshape(targets, k, c)
	state := []*Node{ScalarZero(g, dtypes.Int32), Zeros(g, shapes.Make(dtypes.Float32, k, c))}
	if ce.gradient {
		state = append(state, Zeros(g, shapes.Make(x.DType(), k, c, C)))
	}
	final := While(
		NewClosure(g, func(g *Graph) []*Node {
			now := stateParameters(g, state)
			return []*Node{LessThan(MulScalar(now[0], c), tokens)}
		}),
		NewClosure(g, func(g *Graph) []*Node {
			now := stateParameters(g, state)
			i := now[0]
			index := Reshape(i, 1)
			nll, dx := ce.chunk(Gather(x, index), Gather(targets, index))
			next := []*Node{AddScalar(i, 1), replace(now[1], i, nll)}
			if ce.gradient {
				next = append(next, replace(now[2], i, dx))
			}
			return next
		}),
		state...)
	nll = Reshape(final[1], k*c)
	if ce.gradient {
		dx = Reshape(final[2], k*c, C)
	}
	return nll, dx
}

func stateParameters(g *Graph, state []*Node) []*Node {
	names := []string{"chunk", "nll", "dx"}
	nodes := make([]*Node, len(state))
	for i, s := range state {
		nodes[i] = Parameter(g, names[i], s.Shape())
	}
	return nodes
}

// replace puts part in place of element i of the first axis of whole.
func replace(whole, i, part *Node) *Node {
	dims := whole.Shape().Dimensions
	position := Iota(whole.Graph(), shapes.Make(dtypes.Int32, dims...), 0)
	here := Equal(position, BroadcastToDims(i, dims...))
	return Where(here, BroadcastToDims(ExpandAxes(part, 0), dims...), whole)
}

// chunk computes one chunk: x [c, C], targets [c]. The logits live only as exp(logit - max): with s their sum over V,
// nll = max + log s - x·head[target] and its gradient is exp·head/s - head[target], so no one-hot and no second copy.
func (ce crossEntropy) chunk(x, targets *Node) (nll, dx *Node) {
	logits := ConvertDType(DotGeneral(x, []int{1}, nil, ce.head, []int{1}, nil), dtypes.Float32) // [c, V]
	top := ReduceAndKeep(logits, ReduceMax, -1)
	e := Exp(Sub(logits, top))
	sum := ReduceAndKeep(e, ReduceSum, -1)
	targetRow := Gather(ce.head, ExpandAxes(targets, -1)) // [c, C]
	targetLogit := ReduceSum(Mul(ConvertDType(x, dtypes.Float32), ConvertDType(targetRow, dtypes.Float32)), -1)
	nll = Sub(Squeeze(Add(top, Log(sum)), -1), targetLogit)
	if !ce.gradient {
		return nll, nil
	}
	mean := DotGeneral(ConvertDType(e, x.DType()), []int{1}, nil, ce.head, []int{0}, nil) // [c, C]
	mean = ConvertDType(Div(ConvertDType(mean, dtypes.Float32), sum), x.DType())
	return nll, Sub(mean, targetRow)
}

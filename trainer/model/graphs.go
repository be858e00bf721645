package model

import (
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
)

// batchNodes are a batch inside a graph: see plan.
type batchNodes struct {
	ids, positions, rows, targets, inverse, tokens *Node
}

func newBatchNodes(in []*Node) batchNodes {
	return batchNodes{ids: in[0], positions: in[1], rows: in[2], targets: in[3], inverse: in[4], tokens: in[5]}
}

const batchInputs = 6

// supervised zeroes the rows that do not count: all beyond the first b.tokens.
func supervised(x *Node, b batchNodes) *Node {
	index := Iota(x.Graph(), b.rows.Shape(), 0)
	return Where(LessThan(index, BroadcastToDims(b.tokens, b.rows.Shape().Dimensions...)), x, ZerosLike(x))
}

// surrogate returns the supervised rows' nll, [k*c], and a scalar whose gradient is that of their sum times scale. The
// gradient with respect to the hidden states comes finished from the chunked loss, so the scalar is only their inner
// product, and nothing differentiates the loop.
func (m trunk) surrogate(b batchNodes, scale *Node) (nll, root *Node) {
	if m.trainsHead {
		return m.headSurrogate(b, scale)
	}
	x := m.hidden(b.ids, b.positions)
	out := m.crossEntropy(b, x).run(StopGradient(takeRows(x, b.rows)), b.targets, b.tokens)
	return supervised(out.nll, b), inner(x, b.spread(out.dx, scale))
}

// spread returns the rows' gradients [k*c, K] at the places that they belong to, [B*T, K], times scale, and zero elsewhere.
func (b batchNodes) spread(dx, scale *Node) *Node {
	found := GreaterOrEqual(b.inverse, ZerosLike(b.inverse))
	dx = takeRows(dx, MaxScalar(b.inverse, int32(0)))
	factor := Where(found, BroadcastToDims(scale, b.inverse.Shape().Dimensions...), ZerosLike(ConvertDType(b.inverse, dtypes.Float32)))
	return Mul(dx, ConvertDType(ExpandAxes(factor, -1), dx.DType()))
}

// inner returns the inner product of x with a gradient that is finished.
func inner(x, gradient *Node) *Node {
	return ReduceAllSum(ConvertDType(Mul(x, StopGradient(ConvertDType(gradient, x.DType()))), dtypes.Float32))
}

// crossEntropy returns the loss of hidden states x.
func (m trunk) crossEntropy(b batchNodes, x *Node) crossEntropy {
	B, T := b.ids.Shape().Dimensions[0], b.ids.Shape().Dimensions[1]
	chunks, rows := chunking(B*(T-1), m.VocabSize)
	return crossEntropy{head: m.head(x), chunks: chunks, rows: rows, cap: m.LogitCap}
}

// takeRows gathers rows of x [n, C] by index [k].
func takeRows(x, index *Node) *Node { return Gather(x, ExpandAxes(index, -1)) }

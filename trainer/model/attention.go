package model

import (
	"math"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/go-xla/compute/xla"
	. "github.com/gomlx/gomlx/core/graph"
)

// attention is causal multi-head attention within documents: q [B, T, H, D], k and v [B, T, K, D], where G = H/K queries share
// a key. It returns [B*T, H*D].
//
// The queries that share a key are G rows for each token, so that both products have one batch axis of heads: with a
// fifth axis XLA keeps another copy of the scores per layer for the backward pass (measured on GPT-2 small: 38 MB).
func (m trunk) attention(q, k, v *Node, scale float64, in places) *Node {
	B, T, K, G, D := in.B, in.T, m.KVHeads, m.Heads/m.KVHeads, m.HeadDim
	q = Transpose(Reshape(q, B, T, K, G, D), 2, 3)
	q = Reshape(q, B, T*G, K, D)
	scores := product(q, k).Einsum("bmkd,bskd->bkms") // [B, K, T*G, T]
	scores = softcap(MulScalar(ConvertDType(scores, dtypes.Float32), scale), m.ScoreCap)
	sees := BroadcastToDims(ExpandAxes(in.sees, 1, 3), B, K, T, G, T)
	sees = Reshape(sees, B, K, T*G, T)
	scores = Where(sees, scores, FillScalar(q.Graph(), scores.Shape(), -math.MaxFloat32))
	p := ConvertDType(softmax(scores), q.DType())
	y := product(p, v).Einsum("bkms,bskd->bmkd")
	y = Transpose(Reshape(y, B, T, G, K, D), 2, 3)
	return Reshape(y, B*T, K*G*D)
}

// softmax over the last axis. The maximum carries no gradient: the result does not depend on it.
func softmax(x *Node) *Node {
	e := Exp(Sub(x, StopGradient(ReduceAndKeep(x, ReduceMax, -1))))
	return Div(e, ReduceAndKeep(e, ReduceSum, -1))
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

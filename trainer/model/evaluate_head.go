package model

import (
	"math"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
)

// score scores hidden states x [c, C] against targets [c]: the negative log-likelihood in nats and the hits, [c] float32 each. A frozen
// head's target logit is a product of its own, as in training: in bfloat16 those of the chunk are rounded.
func (m trunk) score(x, targets *Node) (nll, hits *Node) {
	quantised, inBlocks := m.headBlocks()
	var z *Node
	if inBlocks && !m.trainsHead {
		z = quantised.logits(x, evenly(m.VocabSize, max(1, headNumbers/x.Shape().Dimensions[1])))
	} else {
		z = sumOf(m.headParts(x))
	}
	found := lookUp(softcap(z, m.LogitCap), targets)
	if !m.trainsHead {
		target := m.headRows(targets, x) // [c, C]
		product := Mul(ConvertDType(x, dtypes.Float32), ConvertDType(target, dtypes.Float32))
		found.own = softcap(ReduceSum(product, -1), m.LogitCap)
	}
	return Sub(found.logSum, found.own), found.hits
}

// lookedUp is what logits say of their rows' targets, [c] float32 each.
type lookedUp struct {
	logSum *Node // log Σ exp z
	own    *Node // the target's logit
	hits   *Node // 1 where argmax takes the target, the lowest id among equals as in bfloat16 they often are, else 0
}

// lookUp looks targets [c] up in logits z [c, V].
//
// Whether another id has the target's logit would take one more pass over all of them, as expensive as that of the sum. So the maximum
// is taken in two steps, and equals are looked for among the maxima of the blocks before the target's, and within its own block.
func lookUp(z, targets *Node) lookedUp {
	c, V := z.Shape().Dimensions[0], z.Shape().Dimensions[1]
	width := blockWidth(V)
	blocks := Reshape(z, c, V/width, width)
	maxima := ReduceMax(blocks, -1) // [c, V/width]
	top := ReduceMax(maxima, -1)
	logSum := Add(top, Log(ReduceSum(Exp(Sub(z, ExpandAxes(top, -1))), -1)))

	row := Iota(z.Graph(), i32(c, 1), 0)
	block := Div(targets, Scalar(z.Graph(), dtypes.Int32, width))
	place := Sub(targets, MulScalar(block, width))
	around := Gather(blocks, Concatenate([]*Node{row, ExpandAxes(block, -1)}, -1)) // [c, width]
	own := Gather(around, Concatenate([]*Node{row, ExpandAxes(place, -1)}, -1))
	before := Max(highestBefore(maxima, block), highestBefore(around, place))
	hits := LogicalAnd(Equal(own, top), LessThan(before, top))
	hits = LogicalAnd(hits, IsFinite(logSum)) // where a logit is NaN or infinite no target is a hit
	return lookedUp{logSum: logSum, own: own, hits: ConvertDType(hits, dtypes.Float32)}
}

// highestBefore returns the highest of each row x [c, n] before the end-th, [c]; where there is none the lowest number.
func highestBefore(x, end *Node) *Node {
	dims := x.Shape().Dimensions
	before := LessThan(Iota(x.Graph(), i32(dims...), 1), BroadcastToDims(ExpandAxes(end, -1), dims...))
	return ReduceMax(Where(before, x, FillScalar(x.Graph(), x.Shape(), -math.MaxFloat32)), -1)
}

// blockWidth divides a vocabulary into equal blocks, 16 at least where that is possible: shorter blocks would slow down the maximum.
func blockWidth(vocab int) int {
	for width := vocab / 16; width > 1; width-- {
		if vocab%width == 0 {
			return width
		}
	}
	return vocab
}

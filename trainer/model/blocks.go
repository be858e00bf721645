package model

import (
	"fmt"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"

	"github.com/ranksweep/ranksweep/trainer/weights"
)

// blocks is a frozen weight of the base that stays quantised: it becomes numbers beside each product, and again in the backward pass,
// so that no more than one such weight is in memory as numbers.
type blocks struct {
	format string
	dims   []int
	dtype  dtypes.DType // of the numbers
	planes []*Node      // each [blocks, N]
}

// weight returns the numbers, once after exists. That is what keeps XLA from computing them once for forward and backward pass, and
// from keeping them in between.
func (q blocks) weight(after *Node) *Node {
	_, values := weights.Planes(q.format)
	numbers := Reshape(dequantise(q.format, q.planes, zeroOf(after)), q.planes[0].Shape().Dimensions[0]*values)
	if n := size(q.dims); n < numbers.Shape().Size() {
		numbers = Slice(numbers, AxisRange(0, n))
	}
	return StopGradient(ConvertDType(Reshape(numbers, q.dims...), q.dtype))
}

// weight returns a weight of the base; one in blocks is computed once after exists. nil: there is none of the name.
func (m trunk) weight(name string, after *Node) *Node {
	if quantised, ok := m.blocks[name]; ok {
		return quantised.weight(after)
	}
	return m.tensors[name]
}

// zeroOf returns a zero that XLA takes for a number which depends on x: 0·NaN would not be 0.
func zeroOf(x *Node) *Node {
	first := make([]SliceAxisSpec, x.Rank())
	for i := range first {
		first[i] = AxisElem(0)
	}
	return ConvertDType(MulScalar(Reshape(Slice(x, first...)), 0), dtypes.Int8)
}

// headBlocks returns the output head's weight where it stays quantised.
func (m trunk) headBlocks() (blocks, bool) {
	for _, name := range []string{headName + ".weight", m.arch.tokens + ".weight"} {
		if m.tensors[name] != nil {
			return blocks{}, false
		}
		if q, ok := m.blocks[name]; ok {
			return q, true
		}
	}
	return blocks{}, false
}

// headRows returns rows of the output head's weight, [c, C], for hidden states x.
func (m trunk) headRows(index, x *Node) *Node {
	if q, ok := m.headBlocks(); ok {
		return q.rows(index)
	}
	return takeRows(m.head(x), index)
}

// headNumbers bounds the numbers of an output head that an evaluation has at once: like evaluationLogits, for the same reason.
const headNumbers = 7 << 20

// logits returns x·wᵀ for x [c, C] and w [V, C], float32. It makes numbers of so many rows of w at a time, each time once the logits of
// those before are there.
func (q blocks) logits(x *Node, rows int) *Node {
	V, after := q.dims[0], x
	var pieces []*Node
	for first := 0; first < V; first += rows {
		piece := q.slice(first, min(first+rows, V))
		after = ConvertDType(dot(x, 1, piece.weight(after), 1), dtypes.Float32)
		pieces = append(pieces, after)
	}
	return Concatenate(pieces, 1)
}

// slice returns the rows from first to end. Blocks do not go beyond a row.
func (q blocks) slice(first, end int) blocks {
	part := blocks{format: q.format, dims: []int{end - first, q.dims[1]}, dtype: q.dtype}
	for _, plane := range q.planes {
		perRow := plane.Shape().Dimensions[0] / q.dims[0]
		part.planes = append(part.planes, Slice(plane, AxisRange(first*perRow, end*perRow)))
	}
	return part
}

// rows returns the rows of the weight at index [k], [k, C]. Blocks do not go beyond a row.
func (q blocks) rows(index *Node) *Node {
	taken := blocks{format: q.format, dims: []int{index.Shape().Dimensions[0], q.dims[1]}, dtype: q.dtype}
	for _, plane := range q.planes {
		dims := plane.Shape().Dimensions
		perRow := dims[0] / q.dims[0]
		of := takeRows(Reshape(plane, q.dims[0], perRow*dims[1]), index)
		taken.planes = append(taken.planes, Reshape(of, taken.dims[0]*perRow, dims[1]))
	}
	return taken.weight(ConvertDType(index, dtypes.Float32))
}

// dot contracts the last axis of x [n, in] with an axis of the weight.
func (q blocks) dot(x *Node, axis int) *Node {
	var gradient *Node // of the product; GoMLX reaches the product before it reaches x
	x = IdentityWithCustomGradient(x, func(_, _ *Node) *Node { return dot(gradient, 1, q.weight(gradient), 1-axis) })
	y := dot(x, 1, q.weight(x), axis)
	return IdentityWithCustomGradient(y, func(_, v *Node) *Node {
		gradient = v
		return v
	})
}

// dequantise returns the numbers of blocks, [blocks, …] float32, in the order of the blocks' values. What the planes are and how numbers
// come from them is what package weights has in its decoders. zero, an int8, is added to the codes.
func dequantise(format string, p []*Node, zero *Node) *Node {
	last := len(p) - 1
	switch format {
	case "Q4_0":
		return Mul(scaleOf(p[0], 2), SubScalar(number(nibbles(p[1], 1, zero)), 8))
	case "Q4_1":
		return Add(Mul(scaleOf(p[0], 2), number(nibbles(p[2], 1, zero))), scaleOf(p[1], 2))
	case "Q5_0", "Q5_1":
		codes := BitwiseOr(nibbles(p[last], 1, zero), fifthBits(p[last-1]))
		if format == "Q5_0" {
			return Mul(scaleOf(p[0], 2), SubScalar(number(codes), 16))
		}
		return Add(Mul(scaleOf(p[0], 2), number(codes)), scaleOf(p[1], 2))
	case "Q8_0", weights.INT8:
		return Mul(scaleOf(p[0], 1), number(Add(p[1], spread(zero, p[1].Shape().Dimensions))))
	case "Q4_K", "Q5_K":
		codes := nibbles(p[last], 4, zero)
		n := codes.Shape().Dimensions[0]
		if format == "Q5_K" {
			high := BitwiseShiftLeftScalar(bits(spread(ExpandAxes(p[3], 1), []int{n, 8, 32}), 1, 1), uint8(4))
			codes = BitwiseOr(codes, Reshape(high, n, 4, 2, 32))
		}
		scale, low := sixBits(p[2])
		scale, low = Mul(scaleOf(p[0], 1), number(scale)), Mul(scaleOf(p[1], 1), number(low))
		return Sub(Mul(Reshape(scale, n, 4, 2, 1), number(codes)), Reshape(low, n, 4, 2, 1))
	case "Q6_K":
		codes := BitwiseOr(nibbles(p[0], 2, zero), twoBits(p[1]))
		n := codes.Shape().Dimensions[0]
		scale := Mul(scaleOf(p[3], 1), number(p[2]))
		return Mul(Reshape(scale, n, 16, 1), SubScalar(number(Reshape(codes, n, 16, 16)), 32))
	case weights.NF4:
		return Mul(scaleOf(p[0], 2), levels(nibbles(p[1], 1, zero)))
	}
	panic("no blocks of " + format)
}

func number(codes *Node) *Node { return ConvertDType(codes, dtypes.Float32) }

// scaleOf returns a number of each block [n, 1] as float32 with axes beside it.
func scaleOf(x *Node, axes int) *Node {
	dims := []int{x.Shape().Dimensions[0]}
	for range axes {
		dims = append(dims, 1)
	}
	return Reshape(ConvertDType(x, dtypes.Float32), dims...)
}

func spread(x *Node, dims []int) *Node { return BroadcastToDims(x, dims...) }

// nibbles returns what bytes [n, k·w] hold in their halves: the low ones of k runs of w bytes before the high ones of the run,
// [n, 2, w] for k = 1, else [n, k, 2, w].
func nibbles(bytes *Node, k int, zero *Node) *Node {
	n, w := bytes.Shape().Dimensions[0], bytes.Shape().Dimensions[1]/k
	bytes = Add(bytes, spread(ConvertDType(zero, dtypes.Uint8), bytes.Shape().Dimensions))
	dims := []int{n, k, 2, w}
	both := spread(Reshape(bytes, n, k, 1, w), dims)
	both = bits(both, 2, 4)
	if k == 1 {
		return Reshape(both, n, 2, w)
	}
	return both
}

// bits returns of bytes that are alike along an axis the number of so many bits whose place is the index along it.
func bits(bytes *Node, axis, width int) *Node {
	shift := MulScalar(Iota(bytes.Graph(), shapes.Make(dtypes.Uint8, bytes.Shape().Dimensions...), axis), width)
	all := FillScalar(bytes.Graph(), bytes.Shape(), float64(int(1)<<width-1))
	return BitwiseAnd(BitwiseShiftRightLogical(bytes, shift), all)
}

// fifthBits returns the bits of bytes [n, 4], at the fifth place of a number each, [n, 2, 16].
func fifthBits(bytes *Node) *Node {
	n := bytes.Shape().Dimensions[0]
	one := bits(spread(ExpandAxes(bytes, -1), []int{n, 4, 8}), 2, 1)
	return Reshape(BitwiseShiftLeftScalar(one, uint8(4)), n, 2, 16)
}

// twoBits returns the pairs of bits of bytes [n, 64], at the fifth and sixth place of a number each: of each half the lowest pairs of
// its 32 bytes come first, [n, 2, 2, 64].
func twoBits(bytes *Node) *Node {
	n := bytes.Shape().Dimensions[0]
	pairs := bits(spread(Reshape(bytes, n, 2, 1, 32), []int{n, 2, 4, 32}), 2, 2)
	return Reshape(BitwiseShiftLeftScalar(pairs, uint8(4)), n, 2, 2, 64)
}

// sixBits returns the scales and the minima of the eight groups of Q4_K and Q5_K, [n, 8], from bytes [n, 12].
func sixBits(bytes *Node) (scale, low *Node) {
	part := func(i int) *Node { return Slice(bytes, AxisRange(), AxisRange(4*i, 4*i+4)) }
	mask := func(x *Node, of uint8) *Node { return BitwiseAnd(x, FillScalar(x.Graph(), x.Shape(), float64(of))) }
	up := func(x *Node) *Node {
		return BitwiseShiftLeftScalar(BitwiseShiftRightLogicalScalar(x, uint8(6)), uint8(4))
	}
	a, b, c := part(0), part(1), part(2)
	scale = Concatenate([]*Node{mask(a, 63), BitwiseOr(mask(c, 15), up(a))}, 1)
	low = Concatenate([]*Node{mask(b, 63), BitwiseOr(BitwiseShiftRightLogicalScalar(c, uint8(4)), up(b))}, 1)
	return scale, low
}

// levels returns the values of NF4 for codes.
func levels(codes *Node) *Node {
	table := weights.NF4Levels()
	return Gather(Const(codes.Graph(), table[:]), ExpandAxes(ConvertDType(codes, dtypes.Int32), -1))
}

// frozenBase are the tensors of the base that a program needs.
type frozenBase struct {
	specs  []TensorSpec
	blocks map[string]weights.Blocks // without their bytes
	dtype  dtypes.DType              // of the others
}

func newFrozenBase(specs []TensorSpec, base map[string]weights.Array, dtype dtypes.DType) frozenBase {
	f := frozenBase{specs: specs, blocks: map[string]weights.Blocks{}, dtype: dtype}
	for _, s := range specs {
		if b := base[s.Name].Blocks; b != nil {
			f.blocks[s.Name] = weights.Blocks{Format: b.Format}
		}
	}
	return f
}

// shapes are those of the buffers that upload makes.
func (f frozenBase) shapes() []shape {
	var all []shape
	for _, s := range f.specs {
		b, ok := f.blocks[s.Name]
		if !ok {
			all = append(all, shapes.Make(f.dtype, s.Shape...))
			continue
		}
		planes, values := weights.Planes(b.Format)
		for _, p := range planes {
			all = append(all, shapes.Make(p.Kind, (size(s.Shape)+values-1)/values, p.N))
		}
	}
	return all
}

// saved is how many bytes fewer the blocks have than their numbers would.
func (f frozenBase) saved() int64 {
	numbers := f
	numbers.blocks = nil
	return numbers.bytes() - f.bytes()
}

func (f frozenBase) bytes() int64 {
	var n int64
	for _, s := range f.shapes() {
		n += int64(s.ByteSize())
	}
	return n
}

// nodes are the tensors as the nodes of the buffers, those that are no blocks and those that are.
func (f frozenBase) nodes(in []*Node) (map[string]*Node, map[string]blocks) {
	tensors, quantised := map[string]*Node{}, map[string]blocks{}
	for _, s := range f.specs {
		b, ok := f.blocks[s.Name]
		if !ok {
			tensors[s.Name], in = in[0], in[1:]
			continue
		}
		planes, _ := weights.Planes(b.Format)
		quantised[s.Name] = blocks{format: b.Format, dims: s.Shape, dtype: f.dtype, planes: in[:len(planes)]}
		in = in[len(planes):]
	}
	return tensors, quantised
}

// upload copies the tensors to the device.
func (f frozenBase) upload(d device, base map[string]weights.Array) ([]compute.Buffer, error) {
	var all []compute.Buffer
	for _, s := range f.specs {
		var buffers []compute.Buffer
		var err error
		if b := base[s.Name].Blocks; b != nil {
			buffers, err = d.uploadBlocks(s, *b)
		} else {
			buffers, err = d.uploadAll([]TensorSpec{s}, base, f.dtype)
		}
		if err != nil {
			finalizeAll(all...)
			return nil, err
		}
		all = append(all, buffers...)
	}
	return all, nil
}

func (d device) uploadBlocks(s TensorSpec, b weights.Blocks) ([]compute.Buffer, error) {
	planes, values := weights.Planes(b.Format)
	buffers := make([]compute.Buffer, 0, len(planes))
	for _, p := range planes {
		buffer, err := d.upload(b.Plane(p), p.Kind, (size(s.Shape)+values-1)/values, p.N)
		if err != nil {
			finalizeAll(buffers...)
			return nil, fmt.Errorf("tensor %s: %w", s.Name, err)
		}
		buffers = append(buffers, buffer)
	}
	return buffers, nil
}

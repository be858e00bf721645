package model

import (
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"

	"github.com/ranksweep/ranksweep/sweep/lora"
	"github.com/ranksweep/ranksweep/trainer/weights"
)

// loraGraph adds the adapter to the modules it targets, as PEFT does under autocast off: the branch is float32 whatever the base
// is, and the sum is rounded once to the compute type.
type loraGraph struct {
	spec     lora.Spec
	index    map[string]int   // position of a module among the targets
	tensors  map[string]*Node // by adapter key, float32; PiSSA's with its start (besideStart)
	start    map[string]*Node // PiSSA's A₀ and B₀ by adapter key, float32; else empty
	scalings *Node            // [modules]
	keys     *Node            // [modules, Options.maskInputs] uint32: dropout keys; nil when dropout is off
	drop     dropoutNodes
}

func moduleIndex(targets []lora.Module) map[string]int {
	index := make(map[string]int, len(targets))
	for i, m := range targets {
		index[m.Name] = i
	}
	return index
}

// add returns the module's output with its adapter: y + scaling·B·A·dropout(x), or DoRA's.
func (l *loraGraph) add(c linearCall) *Node {
	if !l.adapts(c.Name) {
		return c.y
	}
	dtype := c.y.DType()
	x, kept := l.input(c.x, c.Name)
	u := dot(x, 1, l.tensors[weights.KeyA(c.Name)], 1) // [n, r]
	u = l.scaled(u, c.Name)
	branch := dot(u, 1, l.tensors[weights.KeyB(c.Name)], 1) // [n, out]
	y := ConvertDType(c.y, dtypes.Float32)
	if kept != nil {
		y = Add(y, dot(kept, 1, l.start[weights.KeyB(c.Name)], 1))
	}
	if l.spec.UseDoRA {
		branch = l.dora(c, x, y, branch)
	}
	return ConvertDType(Add(y, branch), dtype)
}

// adapts reports whether a module has an adapter: a target that trains in full has none.
func (l *loraGraph) adapts(module string) bool {
	_, target := l.index[module]
	return target && !l.spec.Full
}

// scaled returns x times the module's scaling.
func (l *loraGraph) scaled(x *Node, module string) *Node { return Mul(x, l.scaling(module)) }

func (l *loraGraph) scaling(module string) *Node {
	return Reshape(Slice(l.scalings, AxisElem(l.index[module])))
}

// input returns a module's input x as its A sees it, float32, after dropout. PiSSA drops no input of the base, so neither of what its
// start takes away from it: kept is then scaling·A₀·(dropped - x), [n, r], to be added to the output through B₀. It is nil without
// dropout or start.
func (l *loraGraph) input(x *Node, module string) (dropped, kept *Node) {
	x = ConvertDType(x, dtypes.Float32)
	if l.keys == nil {
		return x, nil
	}
	dropped = l.dropout(x, l.index[module])
	if a, ok := l.start[weights.KeyA(module)]; ok {
		kept = l.scaled(dot(Sub(dropped, x), 1, a, 1), module)
	}
	return dropped, kept
}

// dora returns what DoRA (Liu et al. 2024, arXiv:2402.09353) adds to the output y, as PEFT computes it: with g the trained length of
// each output's weight over its length, (g-1)·W·x + g·scaling·B·A·x. x is the input after dropout.
func (l *loraGraph) dora(c linearCall, x, y, branch *Node) *Node {
	own := y // W·x
	switch {
	case l.keys != nil:
		own = c.times(x)
	case c.bias != nil:
		own = Sub(y, ExpandAxes(ConvertDType(c.bias, dtypes.Float32), 0))
	}
	g := ExpandAxes(l.stretch(c.Module, c.weight), 0) // [1, out]
	return Add(Mul(SubScalar(g, 1), own), Mul(g, branch))
}

// stretch returns DoRA's factor on each output, [out]: the trained length over that of W + scaling·B·A, which carries no gradient
// (section 4.3 of the paper). The squared length is expanded, |W|² + 2s·(W·Aᵀ)∘B + s²·(B·A·Aᵀ)∘B summed over a row, so that no second
// matrix of the weight's size is made.
func (l *loraGraph) stretch(m lora.Module, weight *Node) *Node {
	keyA, keyB := keysOf(m)
	w, s := StopGradient(ConvertDType(weight, dtypes.Float32)), l.scaling(m.Name)
	a, b := StopGradient(l.tensors[keyA]), StopGradient(l.tensors[keyB])
	square := ReduceSum(Square(w), inAxis(m))
	cross := ReduceSum(Mul(dot(w, inAxis(m), a, 1), b), -1)
	gram := dot(a, 1, a, 1) // [r, r]
	update := ReduceSum(Mul(dot(b, 1, gram, 0), b), -1)
	length := Sqrt(Add(Add(square, Mul(cross, MulScalar(s, 2))), Mul(update, Square(s))))
	return Div(l.tensors[lora.AdapterPrefix+m.Name+".lora_magnitude_vector"], length)
}

// inAxis is the axis of a module's weight that its input runs along.
func inAxis(m lora.Module) int {
	if inFirst(m) {
		return 0
	}
	return 1
}

// embed returns an embedding's rows [n, out] for ids [n] with the module's adapter. As in PEFT there is no dropout here.
func (l *loraGraph) embed(rows, ids, table *Node, m lora.Module) *Node {
	if !l.adapts(m.Name) {
		return rows
	}
	dtype := rows.DType()
	keyA, keyB := keysOf(m)
	u := takeRows(Transpose(l.tensors[keyA], 0, 1), ids) // [n, r]
	y := Add(ConvertDType(rows, dtypes.Float32), dot(l.scaled(u, m.Name), 1, l.tensors[keyB], 1))
	if l.spec.UseDoRA {
		y = Mul(y, ExpandAxes(l.stretch(m, table), 0))
	}
	return ConvertDType(y, dtype)
}

// dropoutNodes are the rate p of dropout inside a graph.
type dropoutNodes struct {
	threshold *Node // [] uint32: p of 2³²
	rest      *Node // [] float32: 1/(1-p)
}

// dropout zeroes entries of x [n, in] with probability p and scales the others by 1/(1-p). Whether entry k falls is a hash
// of k and the module's key: integer arithmetic, the same on every backend, whatever the rank.
func (l *loraGraph) dropout(x *Node, i int) *Node {
	bits := maskBits(x.Shape().Dimensions, l.keys, i)
	kept := GreaterOrEqual(bits, BroadcastToDims(l.drop.threshold, x.Shape().Dimensions...))
	return Where(kept, Mul(x, l.drop.rest), ZerosLike(x))
}

// maskBits returns 32 uniform bits for every entry of a [rows, width] array: two keyed rounds of lowbias32
// (C. Wellons, "Prospecting for hash functions", 2018: bias 0.17, the lowest of its form).
func maskBits(dims []int, keys *Node, i int) *Node {
	g := keys.Graph()
	h := IotaFull(g, shapes.Make(dtypes.Uint32, dims...))
	if keys.Shape().Dimensions[1] > 2 {
		h = Add(h, BroadcastToDims(Slice(keys, AxisElem(i), AxisElem(2)), dims...))
	}
	for round := range 2 {
		key := Slice(keys, AxisElem(i), AxisElem(round)) // [1, 1]
		h = lowbias32(BitwiseXor(h, BroadcastToDims(key, dims...)))
	}
	return h
}

func lowbias32(x *Node) *Node {
	x = BitwiseXor(x, BitwiseShiftRightLogicalScalar(x, uint32(16)))
	x = Mul(x, Const(x.Graph(), uint32(0x7feb352d)))
	x = BitwiseXor(x, BitwiseShiftRightLogicalScalar(x, uint32(15)))
	x = Mul(x, Const(x.Graph(), uint32(0x846ca68b)))
	return BitwiseXor(x, BitwiseShiftRightLogicalScalar(x, uint32(16)))
}

// dropoutKeys returns the masks' keys of one micro-batch, two for each target in order.
func dropoutKeys(targets []lora.Module, seed int64, step, micro int) []uint32 {
	keys := make([]uint32, 0, 2*len(targets))
	for _, m := range targets {
		bits := stream("dropout", seed, m.Name, step, micro).Uint64()
		keys = append(keys, uint32(bits), uint32(bits>>32))
	}
	return keys
}

// fromPart adds to every target's keys the entry that a part of a batch begins with, so that the parts' masks together are the batch's.
// place is that of the part's first token in the batch.
func fromPart(targets []lora.Module, keys []uint32, place int) []uint32 {
	all := make([]uint32, 0, 3*len(targets))
	for i, m := range targets {
		all = append(all, keys[2*i], keys[2*i+1], uint32(place*m.In)) // entries are counted modulo 2³², as Iota does
	}
	return all
}

package model

import (
	"fmt"
	"slices"

	. "github.com/gomlx/gomlx/core/graph"

	"github.com/ranksweep/ranksweep/trainer/weights"
)

// layout places named tensors one after another in a flat vector. There a tensor may be wider than it is: see lora.Bucket.
type layout struct {
	specs   []TensorSpec
	wide    [][]int // the shapes in the vector
	offsets []int
	total   int
}

func newLayout(specs []TensorSpec) layout {
	wide := make([][]int, len(specs))
	for i, s := range specs {
		wide[i] = s.Shape
	}
	return newWideLayout(specs, wide)
}

func newWideLayout(specs []TensorSpec, wide [][]int) layout {
	l := layout{specs: specs, wide: wide, offsets: make([]int, len(specs))}
	for i := range specs {
		l.offsets[i] = l.total
		l.total += size(wide[i])
	}
	return l
}

// pack copies the tensors into one vector. What names them appears in errors.
func (l layout) pack(what string, tensors map[string]weights.Array) ([]float32, error) {
	flat := make([]float32, l.total)
	for i, s := range l.specs {
		a, ok := tensors[s.Name]
		if !ok {
			return nil, fmt.Errorf("%s: tensor %s is missing", what, s.Name)
		}
		if !slices.Equal(a.Shape, s.Shape) || len(a.Data) != size(s.Shape) {
			return nil, fmt.Errorf("%s: tensor %s has shape %v and %d values, want %v", what, s.Name, a.Shape, len(a.Data), s.Shape)
		}
		widen(flat[l.offsets[i]:], a.Data, s.Shape, l.wide[i])
	}
	if len(tensors) != len(l.specs) {
		return nil, fmt.Errorf("%s holds %d tensors, want %d", what, len(tensors), len(l.specs))
	}
	return flat, nil
}

// unpack splits a vector. Arrays that are no wider in it share its memory.
func (l layout) unpack(flat []float32) map[string]weights.Array {
	tensors := make(map[string]weights.Array, len(l.specs))
	for i, s := range l.specs {
		end := l.offsets[i] + size(l.wide[i])
		tensors[s.Name] = weights.Array{Shape: slices.Clone(s.Shape), Data: narrow(flat[l.offsets[i]:end:end], s.Shape, l.wide[i])}
	}
	return tensors
}

// nodes returns the tensors as slices of a flat node.
func (l layout) nodes(flat *Node) []*Node {
	nodes := make([]*Node, len(l.specs))
	for i, shape := range l.wide {
		part := Slice(flat, AxisRange(l.offsets[i], l.offsets[i]+size(shape)))
		nodes[i] = Reshape(part, shape...)
	}
	return nodes
}

// named maps the layout's names to nodes in its order.
func (l layout) named(nodes []*Node) map[string]*Node {
	m := make(map[string]*Node, len(nodes))
	for i, s := range l.specs {
		m[s.Name] = nodes[i]
	}
	return m
}

// join is the inverse of nodes.
func (l layout) join(nodes []*Node) *Node {
	flat := make([]*Node, len(nodes))
	for i, n := range nodes {
		flat[i] = Reshape(n, -1)
	}
	return Concatenate(flat, 0)
}

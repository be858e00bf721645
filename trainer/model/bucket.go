package model

import (
	"slices"

	"github.com/ranksweep/ranksweep/sweep/lora"
	"github.com/ranksweep/ranksweep/trainer/weights"
)

// wideShape is a trainable tensor's shape inside programs: that of its bucket.
func wideShape(t lora.Trainable) []int {
	switch t.Role {
	case lora.RoleA:
		return []int{lora.Bucket(t.Shape[0]), t.Shape[1]}
	case lora.RoleB:
		return []int{t.Shape[0], lora.Bucket(t.Shape[1])}
	default:
		return t.Shape
	}
}

func wideShapes(trained []lora.Trainable) [][]int {
	all := make([][]int, len(trained))
	for i, t := range trained {
		all[i] = wideShape(t)
	}
	return all
}

// widen copies an array into the zeros of one of a larger shape. Arrays that differ are matrices.
func widen(to, from []float32, shape, wide []int) {
	if slices.Equal(shape, wide) {
		copy(to, from)
		return
	}
	columns := shape[1]
	for row := range shape[0] {
		copy(to[row*wide[1]:], from[row*columns:(row+1)*columns])
	}
}

// narrow is the inverse of widen. It copies only where the shapes differ.
func narrow(from []float32, shape, wide []int) []float32 {
	if slices.Equal(shape, wide) {
		return from
	}
	columns := shape[1]
	data := make([]float32, 0, size(shape))
	for row := range shape[0] {
		data = append(data, from[row*wide[1]:row*wide[1]+columns]...)
	}
	return data
}

// widened returns tensors of the given specs in the wider shapes.
func widened(tensors map[string]weights.Array, specs, wide []TensorSpec) map[string]weights.Array {
	all := make(map[string]weights.Array, len(specs))
	for i, s := range specs {
		data := make([]float32, size(wide[i].Shape))
		widen(data, tensors[s.Name].Data, s.Shape, wide[i].Shape)
		all[s.Name] = weights.Array{Shape: wide[i].Shape, Data: data}
	}
	return all
}

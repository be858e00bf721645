package model

import (
	"slices"

	"github.com/ranksweep/ranksweep/sweep/lora"
	"github.com/ranksweep/ranksweep/trainer/weights"
)

// bucketStep is what ranks are rounded up to: those up to 8 share their programs, and none holds more than 7 rows that it does not need
// (measured, experiments/LOG.md 2026-11-29).
const bucketStep = 8

// bucket is the rank that a module of rank r has inside programs. A's further rows and B's further columns are zero, and stay so: the
// gradient of each is a product with the other's zeros. So one program serves every rank of a bucket, and which that is depends on the
// trial alone: it has the same bits whatever was trained before it.
func bucket(r int) int { return (r + bucketStep - 1) / bucketStep * bucketStep }

// wideShape is a trainable tensor's shape inside programs.
func wideShape(t lora.Trainable) []int {
	switch t.Role {
	case lora.RoleA:
		return []int{bucket(t.Shape[0]), t.Shape[1]}
	case lora.RoleB:
		return []int{t.Shape[0], bucket(t.Shape[1])}
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

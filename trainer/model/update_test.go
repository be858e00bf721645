package model_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"gonum.org/v1/gonum/mat"

	"github.com/ranksweep/ranksweep/sweep/lora"
	"github.com/ranksweep/ranksweep/trainer/model"
	"github.com/ranksweep/ranksweep/trainer/weights"
)

// TestUpdates compares with the singular values of the whole update, of modules that have and have not rows and columns of zeros.
func TestUpdates(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	normal := func(rows, columns, zeroFrom int) weights.Array {
		a := weights.Array{Shape: []int{rows, columns}, Data: make([]float32, rows*columns)}
		for i := range a.Data {
			if min(i/columns, i%columns) < zeroFrom {
				a.Data[i] = float32(random.NormFloat64())
			}
		}
		return a
	}
	for name, c := range map[string]struct{ in, out, rank, used int }{
		"wide": {40, 12, 4, 4}, "rank one": {20, 30, 1, 1}, "rank deficient": {24, 24, 8, 3}, "wider than the weight": {6, 5, 8, 8},
		"zero": {9, 9, 4, 0},
	} {
		t.Run(name, func(t *testing.T) {
			m := lora.Module{Name: "h.0.c_attn", In: c.in, Out: c.out}
			a, b := normal(c.rank, c.in, c.used), normal(c.out, c.rank, c.used)
			f := model.Fitted{
				LoRA: lora.Spec{Rank: c.rank, Alpha: 12, UseRSLoRA: true}, Targets: []lora.Module{m},
				Tensors: map[string]weights.Array{weights.KeyA(m.Name): a, weights.KeyB(m.Name): b},
			}
			got, err := f.Updates()
			if err != nil {
				t.Fatal(err)
			}
			var product mat.Dense
			product.Mul(matrix(b), matrix(a))
			product.Scale(f.LoRA.Scaling(), &product)
			var svd mat.SVD
			if !svd.Factorize(&product, mat.SVDNone) {
				t.Fatal("no singular values")
			}
			norm, stable := mat.Norm(&product, 2), 0.0
			if top := svd.Values(nil)[0]; top > 0 {
				stable = norm * norm / (top * top)
			}
			if u := got[0]; u.Module != m.Name || math.Abs(u.Norm-norm) > 1e-9*norm || math.Abs(u.StableRank-stable) > 1e-9*stable {
				t.Errorf("Updates = %+v, want norm %v and stable rank %v", u, norm, stable)
			}
		})
	}
}

func matrix(a weights.Array) *mat.Dense {
	m := mat.NewDense(a.Shape[0], a.Shape[1], nil)
	for i, v := range a.Data {
		m.Set(i/a.Shape[1], i%a.Shape[1], float64(v))
	}
	return m
}

func BenchmarkUpdates(b *testing.B) {
	random := rand.New(rand.NewPCG(1, 2))
	const rank, width = 256, 1024
	m := lora.Module{Name: "h.0.c_attn", In: width, Out: width}
	f := model.Fitted{LoRA: lora.Spec{Rank: rank, Alpha: 16}, Targets: []lora.Module{m}, Tensors: map[string]weights.Array{
		weights.KeyA(m.Name): {Shape: []int{rank, width}, Data: make([]float32, rank*width)},
		weights.KeyB(m.Name): {Shape: []int{width, rank}, Data: make([]float32, rank*width)},
	}}
	for _, t := range f.Tensors {
		for i := range t.Data {
			t.Data[i] = float32(random.NormFloat64())
		}
	}
	for b.Loop() {
		if _, err := f.Updates(); err != nil {
			b.Fatal(err)
		}
	}
}

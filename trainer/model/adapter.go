package model

import (
	"math"
	"math/rand/v2"

	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/trainer/weights"
)

// Values of LoRASpec.Init.
const (
	initKaiming  = "kaiming"
	initGaussian = "gaussian"
)

// adapterSpecs lists the trainable tensors of an adapter, A before B, module by module.
func adapterSpecs(targets []sweep.Module, rank int) []TensorSpec {
	specs := make([]TensorSpec, 0, 2*len(targets))
	for _, m := range targets {
		specs = append(specs, TensorSpec{weights.KeyA(m.Name), []int{rank, m.In}}, TensorSpec{weights.KeyB(m.Name), []int{m.Out, rank}})
	}
	return specs
}

// InitAdapter returns a fresh adapter under the keys of adapter files. Row i of A depends on (seed, module, i) alone, so a
// smaller rank's A is the top of a larger one's; B is zero. Kaiming is PEFT's default, uniform within ±1/sqrt(in)
// (kaiming_uniform_ with a = sqrt(5)); gaussian is PEFT's too: unit rows divided by r.
func InitAdapter(targets []sweep.Module, l sweep.LoRASpec, seed int64) map[string]weights.Array {
	adapter := make(map[string]weights.Array, 2*len(targets))
	for _, m := range targets {
		a := make([]float32, l.Rank*m.In)
		for i := range l.Rank {
			fillRow(a[i*m.In:(i+1)*m.In], l, stream("lora_A "+l.Init, seed, m.Name, i))
		}
		adapter[weights.KeyA(m.Name)] = weights.Array{Shape: []int{l.Rank, m.In}, Data: a}
		adapter[weights.KeyB(m.Name)] = weights.Array{Shape: []int{m.Out, l.Rank}, Data: make([]float32, m.Out*l.Rank)}
	}
	return adapter
}

func fillRow(row []float32, l sweep.LoRASpec, s *rand.ChaCha8) {
	if l.Init == initGaussian {
		for j := range row {
			row[j] = float32(gaussian(s) / float64(l.Rank))
		}
		return
	}
	bound := 1 / math.Sqrt(float64(len(row)))
	for j := range row {
		row[j] = float32((2*unit(s) - 1) * bound)
	}
}

package model

import (
	"math"
	"math/rand/v2"
	"slices"

	"github.com/ranksweep/ranksweep/sweep/lora"
	"github.com/ranksweep/ranksweep/trainer/weights"
)

// TensorInfo lists the base's tensors for the domain.
func (c Config) TensorInfo() []lora.Tensor {
	var all []lora.Tensor
	for _, t := range c.Tensors() {
		all = append(all, lora.Tensor{Name: t.Name, Shape: t.Shape})
	}
	return all
}

// Trainables lists the tensors that a trial trains on these targets.
func (c Config) Trainables(targets []lora.Module, l lora.Spec) ([]lora.Trainable, error) {
	return l.Trainables(targets, c.Modules(), c.TensorInfo())
}

func specsOf(trained []lora.Trainable) []TensorSpec {
	specs := make([]TensorSpec, len(trained))
	for i, t := range trained {
		specs[i] = TensorSpec{t.Key, t.Shape}
	}
	return specs
}

// InitAdapter returns fresh trainable tensors under the keys of adapter files. Row i of A depends on (seed, module, i) alone, so a
// smaller rank's A is the top of a larger one's; B is zero. Kaiming is PEFT's default, uniform within ±1/sqrt(in)
// (kaiming_uniform_ with a = sqrt(5)); gaussian is PEFT's too: unit rows divided by r. On an embedding it is A that is zero, and
// column i of B is a stream of standard normal numbers. Magnitudes are the lengths of the base's rows; biases and saved modules
// are the base's.
//
// PiSSA takes A and B from the base's largest singular directions instead. base is not changed: a Program takes its start away from
// the base inside the graph.
func InitAdapter(c Config, base map[string]weights.Array, targets []lora.Module, l lora.Spec,
	seed int64,
) (map[string]weights.Array, error) {
	trained, err := c.Trainables(targets, l)
	if err != nil {
		return nil, err
	}
	adapter := make(map[string]weights.Array, len(trained))
	for _, t := range trained {
		adapter[t.Key] = initial(t, moduleOf(targets, t.Module), base, c, l, seed)
	}
	if l.Init == lora.InitPiSSA {
		if err := pissa(base, adapter, targets, l); err != nil {
			return nil, err
		}
	}
	return adapter, nil
}

func moduleOf(modules []lora.Module, name string) lora.Module {
	if i := slices.IndexFunc(modules, func(m lora.Module) bool { return m.Name == name }); i >= 0 {
		return modules[i]
	}
	return lora.Module{}
}

// initial is one fresh tensor.
func initial(t lora.Trainable, m lora.Module, base map[string]weights.Array, c Config, l lora.Spec, seed int64) weights.Array {
	data := make([]float32, t.Size())
	switch r := l.RankOf(m.Name); {
	case t.Role == lora.RoleA && !m.Embedding:
		for i := range r {
			fillRow(data[i*m.In:(i+1)*m.In], l.Init, r, stream("lora_A "+streamOf(l.Init), seed, m.Name, i))
		}
	case t.Role == lora.RoleB && m.Embedding:
		for j := range r {
			random := stream("lora_embedding_B", seed, m.Name, j)
			for i := range m.Out {
				data[i*r+j] = float32(gaussian(random))
			}
		}
	case t.Role == lora.RoleMagnitude:
		copy(data, rowNorms(c.matrix(base, m), m))
	case t.Tensor != "":
		copy(data, c.tensor(base, t.Tensor).Data)
	}
	return weights.Array{Shape: slices.Clone(t.Shape), Data: data}
}

// streamOf names the stream that A is drawn from. PiSSA draws nothing, but where it does not apply PEFT draws as usual.
func streamOf(init string) string {
	if init == lora.InitPiSSA {
		return lora.InitKaiming
	}
	return init
}

func fillRow(row []float32, init string, rank int, s *rand.ChaCha8) {
	if init == lora.InitGaussian {
		for j := range row {
			row[j] = float32(gaussian(s) / float64(rank))
		}
		return
	}
	bound := 1 / math.Sqrt(float64(len(row)))
	for j := range row {
		row[j] = float32((2*unit(s) - 1) * bound)
	}
}

// tensor returns a base tensor by name, in numbers; a tied output head is the token embedding.
func (c Config) tensor(base map[string]weights.Array, name string) weights.Array {
	if a, ok := base[name]; ok || name != headName+".weight" || !c.TieHead {
		return a.Float32()
	}
	return base[c.arch().tokens+".weight"].Float32()
}

// matrix returns a module's weight.
func (c Config) matrix(base map[string]weights.Array, m lora.Module) weights.Array {
	return c.tensor(base, m.Name+".weight")
}

// inFirst reports whether a module's weight is stored [in, out]: Conv1D, and an embedding, whose input is a vocabulary's unit vector.
func inFirst(m lora.Module) bool { return m.Conv1D || m.Embedding }

// rowNorms returns the length of a weight's part for each output, [out].
func rowNorms(w weights.Array, m lora.Module) []float32 {
	sums := make([]float64, m.Out)
	for k, v := range w.Data {
		o := k / m.In
		if inFirst(m) {
			o = k % m.Out
		}
		sums[o] += float64(v) * float64(v)
	}
	norms := make([]float32, m.Out)
	for o, s := range sums {
		norms[o] = float32(math.Sqrt(s))
	}
	return norms
}

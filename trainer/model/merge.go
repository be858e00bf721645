package model

import (
	"maps"
	"slices"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas32"

	"github.com/ranksweep/ranksweep/sweep/lora"
	"github.com/ranksweep/ranksweep/trainer/weights"
)

// Merge returns the base with an adapter worked into it, in float32 and under the base's names: what PEFT's merge_and_unload leaves.
// base is not changed, and tensors that the adapter does not touch are shared with it.
//
// Where the model ties its output head to the token embedding and the adapter changes one of the two, they part: the result then
// has a tensor lm_head.weight of its own, and config.json must say tie_word_embeddings: false.
func Merge(c Config, base map[string]weights.Array, a weights.Adapter) (map[string]weights.Array, error) {
	f, err := c.Fit(a)
	if err != nil {
		return nil, err
	}
	return f.Merge(c, base)
}

// Merge is the function Merge for what has been fitted to the model.
func (f Fitted) Merge(c Config, base map[string]weights.Array) (map[string]weights.Array, error) {
	if err := c.check(base); err != nil {
		return nil, err
	}
	base = maps.Clone(base)
	for name, a := range base {
		base[name] = a.Float32()
	}
	maps.Copy(base, f.Base)
	merged := maps.Clone(base)
	trained, err := c.Trainables(f.Targets, f.LoRA)
	if err != nil {
		return nil, err
	}
	head, tokens := headName+".weight", c.arch().tokens+".weight"
	for _, t := range trained {
		if t.Tensor != "" {
			merged[t.Tensor] = f.Tensors[t.Key]
		}
	}
	if !f.LoRA.Full { // whose weights have taken the base's place
		for _, m := range f.Targets {
			merged[m.Name+".weight"] = f.merged(m, c.matrix(base, m))
		}
	}
	_, apart := merged[head]
	if c.TieHead && !apart && !slices.Equal(merged[tokens].Data, base[tokens].Data) {
		merged[head] = base[tokens]
	}
	return merged, nil
}

// merged returns a target's weight with its update: W + s·B·A, and with DoRA each output's part of it at the trained length.
func (f Fitted) merged(m lora.Module, w weights.Array) weights.Array {
	a, b := f.factors(m)
	sum := addUpdate(w, a, b, m, f.LoRA.ScalingOf(m.Name))
	if magnitude, ok := f.Tensors[lora.AdapterPrefix+m.Name+".lora_magnitude_vector"]; ok {
		norms := rowNorms(sum, m)
		for k := range sum.Data {
			o := k / m.In
			if inFirst(m) {
				o = k % m.Out
			}
			sum.Data[k] *= magnitude.Data[o] / norms[o]
		}
	}
	return sum
}

// factors returns a target's A and B.
func (f Fitted) factors(m lora.Module) (a, b weights.Array) {
	keyA, keyB := keysOf(m)
	return f.Tensors[keyA], f.Tensors[keyB]
}

// keysOf returns the keys of a module's A and B.
func keysOf(m lora.Module) (a, b string) {
	if m.Embedding {
		return lora.AdapterPrefix + m.Name + ".lora_embedding_A", lora.AdapterPrefix + m.Name + ".lora_embedding_B"
	}
	return weights.KeyA(m.Name), weights.KeyB(m.Name)
}

// addUpdate returns w + scaling·B·A in the orientation of w.
func addUpdate(w, a, b weights.Array, m lora.Module, scaling float64) weights.Array {
	sum := weights.Array{Shape: slices.Clone(w.Shape), Data: slices.Clone(w.Data)}
	A, B := matrix32(a), matrix32(b)
	if inFirst(m) {
		blas32.Gemm(blas.Trans, blas.Trans, float32(scaling), A, B, 1, matrix32(sum))
	} else {
		blas32.Gemm(blas.NoTrans, blas.NoTrans, float32(scaling), B, A, 1, matrix32(sum))
	}
	return sum
}

// matrix32 shares the memory of a [rows, columns].
func matrix32(a weights.Array) blas32.General {
	return blas32.General{Rows: a.Shape[0], Cols: a.Shape[1], Stride: a.Shape[1], Data: a.Data}
}

package model

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"gonum.org/v1/gonum/mat"

	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/trainer/weights"
)

// pissa fills A and B of every linear target with the r largest singular directions of its weight W = U·S·Vᵀ, as PEFT does:
// B = U·sqrt(S/s), A = sqrt(S/s)·Vᵀ with the scaling s. It returns the base without them, W - s·B·A.
func pissa(base, adapter map[string]weights.Array, targets []sweep.Module, l sweep.LoRASpec) (map[string]weights.Array, error) {
	residual := maps.Clone(base)
	for _, m := range targets {
		if m.Embedding {
			continue // PEFT's too begins as usual there
		}
		name := m.Name + ".weight"
		w, ok := base[name]
		if !ok {
			return nil, fmt.Errorf("init pissa: the output head %s is tied to the token embedding, which stays as it is; untie it or leave it out", m.Name)
		}
		r, s := l.RankOf(m.Name), l.ScalingOf(m.Name)
		if r > min(m.In, m.Out) {
			return nil, fmt.Errorf("init pissa: rank %d of %s: its weight has only %d singular directions", r, m.Name, min(m.In, m.Out))
		}
		b, a, err := factors(weightMatrix(w, m), r, s)
		if err != nil {
			return nil, fmt.Errorf("init pissa of %s: %w", m.Name, err)
		}
		put(adapter[weights.KeyA(m.Name)].Data, a)
		put(adapter[weights.KeyB(m.Name)].Data, b)
		residual[name] = addUpdate(w, adapter[weights.KeyA(m.Name)], adapter[weights.KeyB(m.Name)], m, -s)
	}
	return residual, nil
}

// weightMatrix returns a weight as [out, in].
func weightMatrix(w weights.Array, m sweep.Module) *mat.Dense {
	data := make([]float64, len(w.Data))
	for i, v := range w.Data {
		data[i] = float64(v)
	}
	if inFirst(m) {
		return mat.DenseCopyOf(mat.NewDense(m.In, m.Out, data).T())
	}
	return mat.NewDense(m.Out, m.In, data)
}

// factors returns the best approximation of w [out, in] by scaling·b·a with b [out, r] and a [r, in] (Eckart and Young 1936), split
// evenly. Of the two signs that a singular direction may have it takes the one that makes the largest entry of a positive, so that
// the factors do not depend on how the decomposition was computed.
func factors(w *mat.Dense, r int, scaling float64) (b, a *mat.Dense, err error) {
	var svd mat.SVD
	if !svd.Factorize(w, mat.SVDThin) {
		return nil, nil, fmt.Errorf("the singular value decomposition does not converge: does it hold NaN?")
	}
	var u, v mat.Dense
	svd.UTo(&u)
	svd.VTo(&v)
	values := svd.Values(nil)
	out, in := w.Dims()
	b, a = mat.NewDense(out, r, nil), mat.NewDense(r, in, nil)
	for k := range min(r, len(values)) {
		root := math.Sqrt(values[k] / scaling)
		direction := mat.Col(nil, k, &v)
		if i := slices.IndexFunc(direction, func(x float64) bool { return math.Abs(x) == largest(direction) }); i >= 0 && direction[i] < 0 {
			root = -root
		}
		for i := range out {
			b.Set(i, k, u.At(i, k)*root)
		}
		for j := range in {
			a.Set(k, j, direction[j]*root)
		}
	}
	return b, a, nil
}

func largest(v []float64) float64 {
	top := 0.0
	for _, x := range v {
		top = max(top, math.Abs(x))
	}
	return top
}

// put rounds a matrix to float32, row by row.
func put(to []float32, from *mat.Dense) {
	for i, v := range from.RawMatrix().Data {
		to[i] = float32(v)
	}
}

// Export returns an adapter for the base as it was before InitAdapter, which is what an adapter file must be: a PiSSA adapter B·A
// belongs to the residual base W - s·B₀·A₀, so its update of W is s·(B·A - B₀·A₀), an adapter of twice the rank. That is PEFT's
// conversion (save_pretrained with path_initial_model_for_weight_conversion). initial is what InitAdapter returned; every
// other adapter is returned as it is.
func Export(l sweep.LoRASpec, targets []sweep.Module, initial, adapter map[string]weights.Array) (sweep.LoRASpec, map[string]weights.Array) {
	if l.Init != sweep.InitPiSSA {
		return l, adapter
	}
	doubled := maps.Clone(adapter)
	for key := range adapter {
		module, ok := strings.CutSuffix(strings.TrimPrefix(key, sweep.AdapterPrefix), ".lora_A.weight")
		if ok {
			keyB := weights.KeyB(module)
			doubled[key] = stackRows(adapter[key], initial[key], 1)
			doubled[keyB] = besides(adapter[keyB], initial[keyB], -1)
		}
	}
	for _, m := range targets {
		if m.Embedding {
			a, b := sweep.AdapterPrefix+m.Name+".lora_embedding_A", sweep.AdapterPrefix+m.Name+".lora_embedding_B"
			doubled[a] = stackRows(adapter[a], adapter[a], 0)
			doubled[b] = besides(adapter[b], adapter[b], 0)
		}
	}
	// Scaling stays: alpha/r with both doubled, alpha/sqrt(r) with alpha times sqrt(2).
	factor := 2.0
	if l.UseRSLoRA {
		factor = math.Sqrt2
	}
	l.Rank, l.Alpha, l.Init = 2*l.Rank, factor*l.Alpha, sweep.InitKaiming
	l.RankPattern, l.AlphaPattern = timesPattern(l.RankPattern, 2), timesPattern(l.AlphaPattern, factor)
	return l, doubled
}

func timesPattern(p sweep.Patterns, factor float64) sweep.Patterns {
	p = slices.Clone(p)
	for i := range p {
		p[i].Value *= factor
	}
	return p
}

// stackRows returns [a; factor·b].
func stackRows(a, b weights.Array, factor float32) weights.Array {
	data := slices.Clone(a.Data)
	for _, v := range b.Data {
		data = append(data, factor*v)
	}
	return weights.Array{Shape: []int{a.Shape[0] + b.Shape[0], a.Shape[1]}, Data: data}
}

// besides returns [a, factor·b].
func besides(a, b weights.Array, factor float32) weights.Array {
	rows, n := a.Shape[0], a.Shape[1]+b.Shape[1]
	data := make([]float32, 0, rows*n)
	for i := range rows {
		data = append(data, a.Data[i*a.Shape[1]:(i+1)*a.Shape[1]]...)
		for _, v := range b.Data[i*b.Shape[1] : (i+1)*b.Shape[1]] {
			data = append(data, factor*v)
		}
	}
	return weights.Array{Shape: []int{rows, n}, Data: data}
}

package model

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	. "github.com/gomlx/gomlx/core/graph"
	"gonum.org/v1/gonum/mat"

	"github.com/ranksweep/ranksweep/sweep/lora"
	"github.com/ranksweep/ranksweep/trainer/weights"
)

// pissa fills A and B of every linear target with the r largest singular directions of its weight W = U·S·Vᵀ, as PEFT does:
// B = U·sqrt(S/s), A = sqrt(S/s)·Vᵀ with the scaling s.
func pissa(base, adapter map[string]weights.Array, targets []lora.Module, l lora.Spec) error {
	for _, m := range targets {
		if m.Embedding {
			continue // PEFT's too begins as usual there
		}
		name := m.Name + ".weight"
		w, ok := base[name]
		if !ok {
			return fmt.Errorf("init pissa: the output head %s is tied to the token embedding, which stays as it is; untie it or leave it "+
				"out", m.Name)
		}
		r, s := l.RankOf(m.Name), l.ScalingOf(m.Name)
		if r > min(m.In, m.Out) {
			return fmt.Errorf("init pissa: rank %d of %s: its weight has only %d singular directions", r, m.Name, min(m.In, m.Out))
		}
		b, a, err := factors(weightMatrix(w.Float32(), m), r, s)
		if err != nil {
			return fmt.Errorf("init pissa of %s: %w", m.Name, err)
		}
		put(adapter[weights.KeyA(m.Name)].Data, a)
		put(adapter[weights.KeyB(m.Name)].Data, b)
	}
	return nil
}

// Start returns what PiSSA takes away from the base, the A₀ and B₀ that its linear targets start from, out of the fresh adapter that
// InitAdapter returned. It is empty for every other adapter.
func Start(l lora.Spec, targets []lora.Module, fresh map[string]weights.Array) map[string]weights.Array {
	start := map[string]weights.Array{}
	for _, s := range startSpecs(l, targets, l.RankOf) {
		start[s.Name] = fresh[s.Name]
	}
	return start
}

// startSpecs lists the tensors of Start, A before B, given each module's rank.
func startSpecs(l lora.Spec, targets []lora.Module, rankOf func(module string) int) []TensorSpec {
	if l.Init != lora.InitPiSSA {
		return nil
	}
	var specs []TensorSpec
	for _, m := range targets {
		if r := rankOf(m.Name); !m.Embedding {
			specs = append(specs, TensorSpec{weights.KeyA(m.Name), []int{r, m.In}}, TensorSpec{weights.KeyB(m.Name), []int{m.Out, r}})
		}
	}
	return specs
}

// besideStart returns the adapter's nodes as Export writes them: with A₀ [r, in] under A, and -B₀ [out, r] beside B. So training and
// the exported adapter are one computation, W·x + s·(B·A - B₀·A₀)·x on the base in its compute type; a residual base
// W - s·B₀·A₀ in bfloat16 would be rounded to another model than the one that the adapter is for.
func besideStart(named, start map[string]*Node, targets []lora.Module) map[string]*Node {
	joined := maps.Clone(named)
	for _, m := range targets {
		keyA, keyB := keysOf(m)
		if a, ok := start[keyA]; ok {
			joined[keyA] = Concatenate([]*Node{named[keyA], a}, 0)
			joined[keyB] = Concatenate([]*Node{named[keyB], Neg(start[keyB])}, 1)
		}
	}
	return joined
}

// weightMatrix returns a weight as [out, in].
func weightMatrix(w weights.Array, m lora.Module) *mat.Dense {
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

// Export returns an adapter for the base itself, which is what an adapter file must be: a PiSSA adapter B·A belongs to the residual
// base W - s·B₀·A₀, so its update of W is s·(B·A - B₀·A₀), an adapter of twice the rank. That is PEFT's conversion
// (save_pretrained with path_initial_model_for_weight_conversion). start is what Start returned; every other adapter is returned
// as it is.
func Export(l lora.Spec, targets []lora.Module, start, adapter map[string]weights.Array) (lora.Spec, map[string]weights.Array) {
	if l.Init != lora.InitPiSSA {
		return l, adapter
	}
	doubled := maps.Clone(adapter)
	for key := range adapter {
		module, ok := strings.CutSuffix(strings.TrimPrefix(key, lora.AdapterPrefix), ".lora_A.weight")
		if ok {
			keyB := weights.KeyB(module)
			doubled[key] = stackRows(adapter[key], start[key], 1)
			doubled[keyB] = besides(adapter[keyB], start[keyB], -1)
		}
	}
	for _, m := range targets {
		if m.Embedding {
			a, b := lora.AdapterPrefix+m.Name+".lora_embedding_A", lora.AdapterPrefix+m.Name+".lora_embedding_B"
			doubled[a] = stackRows(adapter[a], adapter[a], 0)
			doubled[b] = besides(adapter[b], adapter[b], 0)
		}
	}
	// Scaling stays: alpha/r with both doubled, alpha/sqrt(r) with alpha times sqrt(2).
	factor := 2.0
	if l.UseRSLoRA {
		factor = math.Sqrt2
	}
	l.Rank, l.Alpha, l.Init = 2*l.Rank, factor*l.Alpha, lora.InitKaiming
	l.RankPattern, l.AlphaPattern = timesPattern(l.RankPattern, 2), timesPattern(l.AlphaPattern, factor)
	return l, doubled
}

func timesPattern(p lora.Patterns, factor float64) lora.Patterns {
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

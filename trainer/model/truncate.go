package model

import (
	"fmt"
	"maps"
	"slices"

	"gonum.org/v1/gonum/lapack/lapack64"
	"gonum.org/v1/gonum/mat"

	"github.com/ranksweep/ranksweep/sweep/lora"
	"github.com/ranksweep/ranksweep/trainer/weights"
)

// Resize returns an adapter's tensors at the ranks, alphas and scalings of another spec on the same targets: what a trial of that
// spec begins with. Its targets, bias, modules to save and DoRA must be the adapter's.
//
// A larger rank does not change the function: the added rows of A and columns of B are those of fresh, whose product is zero, and
// where alpha, r or rsLoRA give another scaling, the ratio is folded into B. A smaller rank gets the best approximation of each
// module's update (Eckart and Young 1936), at the cost of the adapter's rank, not of the weight's width. With DoRA the lengths
// stay as trained while the directions are approximated.
func Resize(from Fitted, to lora.Spec, fresh map[string]weights.Array) (map[string]weights.Array, error) {
	resized := maps.Clone(from.Tensors)
	for _, m := range from.Targets {
		a, b := from.factors(m)
		keyA, keyB := keysOf(m)
		r, ratio := to.RankOf(m.Name), from.LoRA.ScalingOf(m.Name)/to.ScalingOf(m.Name)
		if r >= a.Shape[0] {
			resized[keyA], resized[keyB] = pad(a, b, fresh[keyA], fresh[keyB], ratio)
			continue
		}
		var err error
		if resized[keyA], resized[keyB], err = truncate(a, b, r, ratio); err != nil {
			return nil, fmt.Errorf("truncate %s to rank %d: %w", m.Name, r, err)
		}
	}
	return resized, nil
}

// Lengths adds to start, tensors for DoRA resized from an adapter without it, the magnitudes that leave the function as it is.
func Lengths(c Config, base map[string]weights.Array, from Fitted, start map[string]weights.Array) {
	for _, m := range from.Targets {
		sum := from.merged(m, c.matrix(base, m))
		start[lora.AdapterPrefix+m.Name+".lora_magnitude_vector"] = weights.Array{Shape: []int{m.Out}, Data: rowNorms(sum, m)}
	}
}

// truncate returns the best rank-r approximation of ratio·b·a for a [r0, in] and b [out, r0]. With b = Q·R and aᵀ = P·S it is that of
// the small matrix R·Sᵀ [r0, r0].
func truncate(a, b weights.Array, r int, ratio float64) (weights.Array, weights.Array, error) {
	in, out := a.Shape[1], b.Shape[0]
	Q, R := thinQR(dense(b))
	P, S := thinQR(mat.DenseCopyOf(dense(a).T()))
	var core mat.Dense
	core.Mul(R, S.T())
	core.Scale(ratio, &core)
	left, right, err := factors(&core, r, 1)
	if err != nil {
		return weights.Array{}, weights.Array{}, err
	}
	var newB, newA mat.Dense
	newB.Mul(Q, left)
	newA.Mul(right, P.T())
	x := weights.Array{Shape: []int{r, in}, Data: make([]float32, r*in)}
	y := weights.Array{Shape: []int{out, r}, Data: make([]float32, out*r)}
	put(x.Data, &newA)
	put(y.Data, &newB)
	return x, y, nil
}

// thinQR returns q [rows, columns] and r [columns, columns] of a tall matrix, which it overwrites, by Householder reflections. A wide
// matrix is its own r, with the unit matrix as q.
func thinQR(a *mat.Dense) (q, r *mat.Dense) {
	rows, columns := a.Dims()
	if columns >= rows {
		unit := mat.NewDense(rows, rows, nil)
		for i := range rows {
			unit.Set(i, i, 1)
		}
		return unit, a
	}
	tau, size := make([]float64, columns), []float64{0}
	lapack64.Geqrf(a.RawMatrix(), tau, size, -1)
	work := make([]float64, int(size[0]))
	lapack64.Geqrf(a.RawMatrix(), tau, work, len(work))
	r = mat.NewDense(columns, columns, nil)
	for i := range columns {
		for j := i; j < columns; j++ {
			r.Set(i, j, a.At(i, j))
		}
	}
	lapack64.Orgqr(a.RawMatrix(), tau, size, -1)
	work = make([]float64, int(size[0]))
	lapack64.Orgqr(a.RawMatrix(), tau, work, len(work))
	return a, r
}

func dense(a weights.Array) *mat.Dense {
	data := make([]float64, len(a.Data))
	for i, v := range a.Data {
		data[i] = float64(v)
	}
	return mat.NewDense(a.Shape[0], a.Shape[1], data)
}

// pad returns a [r0, in] over the further rows of freshA [r, in], and ratio·b [out, r0] beside the further columns of freshB. One of
// the two is zero there, so that the function stays.
func pad(a, b, freshA, freshB weights.Array, ratio float64) (weights.Array, weights.Array) {
	r0, r, in, out := a.Shape[0], freshA.Shape[0], freshA.Shape[1], freshB.Shape[0]
	x := weights.Array{Shape: []int{r, in}, Data: append(slices.Clone(a.Data), freshA.Data[r0*in:]...)}
	y := weights.Array{Shape: []int{out, r}, Data: slices.Clone(freshB.Data)}
	for i := range out {
		for j := range r0 {
			y.Data[i*r+j] = float32(float64(b.Data[i*r0+j]) * ratio)
		}
	}
	return x, y
}

// Truncated returns an adapter's tensors in their own shapes, with each module's update replaced by its best approximation of the
// rank that another spec gives the module: the further rows of A and columns of B are zero. So the program that trained the
// adapter evaluates it. What trains beside A and B stays as it is.
func Truncated(from Fitted, to lora.Spec) (map[string]weights.Array, error) {
	return from.truncated(to, func(lora.Module) float64 { return 1 })
}

// Rescaled is Truncated for a program that then scales updates as the other spec does (Program.Rescale): the ratio of the scalings
// is folded into B.
func Rescaled(from Fitted, to lora.Spec) (map[string]weights.Array, error) {
	return from.truncated(to, func(m lora.Module) float64 { return from.LoRA.ScalingOf(m.Name) / to.ScalingOf(m.Name) })
}

func (f Fitted) truncated(to lora.Spec, ratio func(lora.Module) float64) (map[string]weights.Array, error) {
	truncated := maps.Clone(f.Tensors)
	for _, m := range f.Targets {
		a, b := f.factors(m)
		r, factor := to.RankOf(m.Name), ratio(m)
		keyA, keyB := keysOf(m)
		if r >= a.Shape[0] {
			truncated[keyA], truncated[keyB] = pad(a, b, a, b, factor)
			continue
		}
		lowA, lowB, err := truncate(a, b, r, factor)
		if err != nil {
			return nil, fmt.Errorf("truncate %s to rank %d: %w", m.Name, r, err)
		}
		truncated[keyA], truncated[keyB] = pad(lowA, lowB, zeros(a.Shape), zeros(b.Shape), 1)
	}
	return truncated, nil
}

func zeros(shape []int) weights.Array {
	return weights.Array{Shape: slices.Clone(shape), Data: make([]float32, size(shape))}
}

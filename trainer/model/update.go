package model

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/mat"

	"github.com/ranksweep/ranksweep/sweep/trial"
	"github.com/ranksweep/ranksweep/trainer/weights"
)

// Updates returns what an adapter adds to each target's weight, DoRA's rescaling aside: the Frobenius norm and the stable rank of
// scaling·B·A. Of the r×r Gram matrices A·Aᵀ and Bᵀ·B alone: ‖B·A‖²_F is the trace of their product, and ‖B·A‖²₂ its largest eigenvalue.
func (f Fitted) Updates() ([]trial.ModuleUpdate, error) {
	updates := make([]trial.ModuleUpdate, len(f.Targets))
	for i, m := range f.Targets {
		a, b := f.factors(m)
		sum, largest, ok := squares(a, b)
		if !ok {
			return nil, fmt.Errorf("the eigenvalues of the update of %s do not converge", m.Name)
		}
		updates[i] = trial.ModuleUpdate{Module: m.Name, Norm: math.Abs(f.LoRA.ScalingOf(m.Name)) * math.Sqrt(sum)}
		if largest > 0 {
			updates[i].StableRank = max(1, sum/largest)
		}
	}
	return updates, nil
}

// squares returns the sum of the squared singular values of b·a, for a [r, in] and b [out, r], and the largest of them.
func squares(a, b weights.Array) (sum, largest float64, ok bool) {
	var gramA, gramB mat.SymDense
	gramA.SymOuterK(1, dense(a))
	gramB.SymOuterK(1, dense(b).T())
	r := a.Shape[0]
	for i := range r {
		for j := range r {
			sum += gramA.At(i, j) * gramB.At(i, j)
		}
	}
	if !(sum > 0) {
		return 0, 0, true
	}
	// With A·Aᵀ = L·Lᵀ the product's eigenvalues are those of the symmetric Lᵀ·(Bᵀ·B)·L. Zero rows of A take a diagonal beyond rounding.
	shift := 1e-13 * gramA.Trace()
	for i := range r {
		gramA.SetSym(i, i, gramA.At(i, i)+shift)
	}
	var cholesky mat.Cholesky
	var eigen mat.EigenSym
	var l, half, product mat.Dense
	if !cholesky.Factorize(&gramA) {
		return 0, 0, false
	}
	l.CloneFrom(cholesky.RawU().T())
	half.Mul(&gramB, &l)
	product.Mul(l.T(), &half)
	if !eigen.Factorize(mat.NewSymDense(r, product.RawMatrix().Data), false) {
		return 0, 0, false
	}
	return sum, eigen.Values(nil)[r-1], true // they ascend
}

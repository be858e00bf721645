package grid

import (
	"slices"

	"github.com/ranksweep/ranksweep/sweep/trial"
)

// DtypeIsAuto reports whether the machine decides about train.dtype.
func (g Grid) DtypeIsAuto() bool { return slices.Contains(g.train.dtype, trial.DtypeAuto) }

// WithDtype returns the grid with `train.dtype: auto` decided, and any other as it is.
func (g Grid) WithDtype(dtype string) Grid {
	if g.DtypeIsAuto() {
		g.train.dtype = []string{dtype}
	}
	return g
}

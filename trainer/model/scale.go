package model

import (
	"fmt"
	"math"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
)

// times returns x times a factor, computed in float32 as torch does, whatever type x has; 0 means 1.
func times(x *Node, factor float64) *Node {
	if factor == 0 {
		return x
	}
	return ConvertDType(MulScalar(ConvertDType(x, dtypes.Float32), factor), x.DType())
}

// softcap bends x smoothly into ±most (Gemma Team 2024, arXiv:2408.00118, section 2); 0 leaves it as it is.
func softcap(x *Node, most float64) *Node {
	if most == 0 {
		return x
	}
	return Mul(filled(x, most), Tanh(Div(x, filled(x, most))))
}

// capSlope returns the derivative of softcap where it has the values y, for most above 0.
func capSlope(y *Node, most float64) *Node { return Sub(filled(y, 1), Square(Div(y, filled(y, most)))) }

// filled returns an array shaped like x [..] float32 that is v everywhere. It is a node of its own at every use, for inside a loop
// pure Go loses a broadcast that two operations share.
func filled(x *Node, v float64) *Node {
	return BroadcastToDims(Const(x.Graph(), float32(v)), x.Shape().Dimensions...)
}

// setting is a number of a config.json; nil where it is absent or null.
type setting struct {
	name  string
	value *float64
}

func (s setting) positive() error {
	if s.value != nil && (!(*s.value > 0) || math.IsInf(*s.value, 0)) {
		return fmt.Errorf("%s is %g, want a positive number", s.name, *s.value)
	}
	return nil
}

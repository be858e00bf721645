package model

import (
	"cmp"
	"math"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
)

// Rope says how rotary position embedding (Su et al. 2021) turns positions into angles.
type Rope struct {
	Theta float64 // the longest wavelength is 2π·Theta, about
	Dims  int     // how many of a head's dimensions turn, the first ones; 0 means all
	Type  string  // "" as in the paper, or a row of ropeTypes
	// Factor stretches the wavelengths: all of them (linear), or the long ones (llama3, yarn).
	Factor float64
	// Original is the length of the texts that the model was first trained on (llama3, yarn, longrope).
	Original float64
	// LowFreq, HighFreq are llama3's: wavelengths above Original/LowFreq are stretched, those below Original/HighFreq are not, and
	// between there is a smooth passage.
	LowFreq, HighFreq float64
	// SlowTurns and FastTurns are yarn's: the passage goes, by index, from the frequency that turns FastTurns times in Original to the
	// one that turns SlowTurns times. Unless Exact it begins and ends at whole numbers.
	SlowTurns, FastTurns float64
	Exact                bool
	// Short is what longrope divides each frequency by, up to Original positions.
	Short []float64
	// Scale is multiplied to cosine and sine (yarn, longrope); 0 means 1.
	Scale float64
}

// frequencies returns the D/2 angles of position 1, where D dimensions turn.
func (r Rope) frequencies(D int) []float32 {
	out := make([]float32, D/2)
	for i := range out {
		out[i] = float32(r.scaled(math.Pow(r.Theta, -2*float64(i)/float64(D)), i, D))
	}
	return out
}

// scaled applies the scaling to frequency i of D/2 (transformers 5.24, modeling_rope_utils.py).
func (r Rope) scaled(f float64, i, D int) float64 {
	switch r.Type {
	case ropeLinear:
		return f / r.Factor
	case ropeLlama3:
		turns := r.Original * f / (2 * math.Pi) // wavelengths in the original length
		smooth := min(max((turns-r.LowFreq)/(r.HighFreq-r.LowFreq), 0), 1)
		return (1-smooth)*f/r.Factor + smooth*f
	case ropeYarn:
		from, to := r.passage(D)
		stretched := min(max((float64(i)-from)/(to-from), 0), 1)
		return (1-stretched)*f + stretched*f/r.Factor
	case ropeLong:
		return f / r.Short[i]
	}
	return f
}

// passage returns between which indexes yarn goes over to stretched frequencies.
func (r Rope) passage(D int) (from, to float64) {
	index := func(turns float64) float64 {
		return float64(D) * math.Log(r.Original/(turns*2*math.Pi)) / (2 * math.Log(r.Theta))
	}
	from, to = index(r.FastTurns), index(r.SlowTurns)
	if !r.Exact {
		from, to = math.Floor(from), math.Ceil(to)
	}
	from, to = max(from, 0), min(to, float64(D-1))
	if from == to {
		to += 0.001
	}
	return from, to
}

// angles returns cosine and sine of every position's angles, [B, T, 1, n/2] float32 where n of a head's D dimensions turn, for
// positions [B, T].
func (r Rope) angles(positions *Node, D int) (cos, sin *Node) {
	D = cmp.Or(r.Dims, D)
	B, T := positions.Shape().Dimensions[0], positions.Shape().Dimensions[1]
	at := Reshape(ConvertDType(positions, dtypes.Float32), B, T, 1, 1)
	f := ExpandLeftToRank(Const(positions.Graph(), r.frequencies(D)), 4)
	angles := Mul(BroadcastToDims(at, B, T, 1, D/2), BroadcastToDims(f, B, T, 1, D/2))
	cos, sin = Cos(angles), Sin(angles)
	if r.Scale != 0 {
		cos, sin = MulScalar(cos, r.Scale), MulScalar(sin, r.Scale)
	}
	return cos, sin
}

// rotate turns every pair (i, i + n/2) of the first n dimensions of x [B, T, heads, D] by its position's angle i, in float32. The
// others stay as they are, and all of them in a layer without rotary positions.
func (in places) rotate(x *Node) *Node {
	if in.cos == nil {
		return x
	}
	dtype, D, half := x.DType(), x.Shape().Dimensions[3], in.cos.Shape().Dimensions[3]
	x = ConvertDType(x, dtypes.Float32)
	part := func(from, to int) *Node { return Slice(x, AxisRange(), AxisRange(), AxisRange(), AxisRange(from, to)) }
	a, b := part(0, half), part(half, 2*half)
	turned := []*Node{Sub(Mul(a, in.cos), Mul(b, in.sin)), Add(Mul(b, in.cos), Mul(a, in.sin))}
	if 2*half < D {
		turned = append(turned, part(2*half, D))
	}
	return ConvertDType(Concatenate(turned, -1), dtype)
}

package model

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
)

// Rope says how rotary position embedding (Su et al. 2021) turns positions into angles.
type Rope struct {
	Theta float64 // the longest wavelength is 2π·Theta, about
	Dims  int     // how many of a head's dimensions turn, the first ones; 0 means all
	Type  string  // "" as in the paper, or ropeLinear or ropeLlama3
	// Factor stretches the wavelengths: all of them (linear), or the long ones (llama3).
	Factor float64
	// LowFreq, HighFreq and Original are llama3's: wavelengths above Original/LowFreq are stretched, those below
	// Original/HighFreq are not, and between there is a smooth passage.
	LowFreq, HighFreq, Original float64
}

const (
	ropeLinear = "linear"
	ropeLlama3 = "llama3"
)

// ropeFile is the part of a config.json about positions: rope_parameters as transformers 5 writes it, or rope_theta and
// rope_scaling as 4 did.
type ropeFile struct {
	Parameters json.RawMessage `json:"rope_parameters"`
	Theta      *float64        `json:"rope_theta"`
	Scaling    json.RawMessage `json:"rope_scaling"`
	Partial    *float64        `json:"partial_rotary_factor"`
}

// ropeParameters are the keys of rope_parameters and rope_scaling.
type ropeParameters struct {
	Theta    *float64 `json:"rope_theta"`
	Type     *string  `json:"rope_type"`
	OldType  *string  `json:"type"`
	Factor   *float64 `json:"factor"`
	LowFreq  *float64 `json:"low_freq_factor"`
	HighFreq *float64 `json:"high_freq_factor"`
	Original *float64 `json:"original_max_position_embeddings"`
	Partial  *float64 `json:"partial_rotary_factor"`
}

// rope is that of an architecture whose heads turn as a whole.
func (f ropeFile) rope(c Config) (Rope, error) {
	r, partial, err := f.read(c, 1)
	if err == nil && partial != 1 {
		err = fmt.Errorf("partial_rotary_factor is not supported")
	}
	return r, err
}

// partialRope is that of an architecture that turns a share of every head, standard where config.json leaves it out.
func (f ropeFile) partialRope(c Config, standard float64) (Rope, error) {
	r, partial, err := f.read(c, standard)
	if err != nil || partial == 1 {
		return r, err
	}
	r.Dims, err = turning(partial, c.HeadDim)
	return r, err
}

// turning returns how many dimensions of a head turn where that is a share of them.
func turning(share float64, head int) (int, error) {
	dims := math.Floor(share * float64(head))
	if !(dims >= 2) || dims > float64(head) || math.Mod(dims, 2) != 0 {
		return 0, fmt.Errorf("partial_rotary_factor (rotary_pct) %g of head_dim %d is %g, want an even number up to head_dim", share, head, dims)
	}
	return int(dims), nil
}

// read returns the settings, and the share of each head that turns.
func (f ropeFile) read(c Config, standard float64) (r Rope, partial float64, err error) {
	var p ropeParameters
	name := "rope_parameters"
	text := f.Parameters
	if len(text) == 0 || string(text) == "null" {
		name, text = "rope_scaling", f.Scaling
	}
	if len(text) > 0 {
		if err := json.Unmarshal(text, &p); err != nil {
			return Rope{}, 0, fmt.Errorf("%s: %w", name, err)
		}
	}
	r = Rope{Theta: or(p.Theta, or(f.Theta, 10000)), Type: or(p.Type, or(p.OldType, "default"))}
	switch r.Type {
	case "default":
		r.Type = ""
	case ropeLinear:
		r.Factor = or(p.Factor, 0)
	case ropeLlama3:
		r.Factor, r.LowFreq, r.HighFreq = or(p.Factor, 0), or(p.LowFreq, 0), or(p.HighFreq, 0)
		r.Original = or(p.Original, float64(c.Positions))
	default:
		return Rope{}, 0, fmt.Errorf("%s: rope_type %q is not supported, want default, %s or %s", name, r.Type, ropeLinear, ropeLlama3)
	}
	if err := r.validate(); err != nil {
		return Rope{}, 0, fmt.Errorf("%s: %w", name, err)
	}
	if c.HeadDim%2 != 0 {
		return Rope{}, 0, fmt.Errorf("head_dim is %d, want an even number", c.HeadDim)
	}
	return r, or(p.Partial, or(f.Partial, standard)), nil
}

func (r Rope) validate() error {
	switch {
	case !(r.Theta > 0) || math.IsInf(r.Theta, 0):
		return fmt.Errorf("rope_theta is %g, want a positive number", r.Theta)
	case r.Type != "" && !(r.Factor > 0):
		return fmt.Errorf("factor is %g, want a positive number", r.Factor)
	case r.Type == ropeLlama3 && (!(r.LowFreq > 0) || !(r.HighFreq > r.LowFreq) || !(r.Original > 0)):
		return fmt.Errorf("low_freq_factor %g, high_freq_factor %g and original_max_position_embeddings %g: want 0 < low < high, and a "+
			"positive length",
			r.LowFreq, r.HighFreq, r.Original)
	}
	return nil
}

// frequencies returns the D/2 angles of position 1, where D dimensions turn.
func (r Rope) frequencies(D int) []float32 {
	out := make([]float32, D/2)
	for i := range out {
		out[i] = float32(r.stretched(math.Pow(r.Theta, -2*float64(i)/float64(D))))
	}
	return out
}

// stretched applies the scaling to a frequency (transformers 5.23, modeling_rope_utils.py).
func (r Rope) stretched(f float64) float64 {
	switch r.Type {
	case ropeLinear:
		return f / r.Factor
	case ropeLlama3:
		turns := r.Original * f / (2 * math.Pi) // wavelengths in the original length
		smooth := min(max((turns-r.LowFreq)/(r.HighFreq-r.LowFreq), 0), 1)
		return (1-smooth)*f/r.Factor + smooth*f
	}
	return f
}

// angles returns cosine and sine of every position's angles, [B, T, 1, n/2] float32 where n of a head's D dimensions turn, for
// positions [B, T].
func (r Rope) angles(positions *Node, D int) (cos, sin *Node) {
	D = cmp.Or(r.Dims, D)
	B, T := positions.Shape().Dimensions[0], positions.Shape().Dimensions[1]
	at := Reshape(ConvertDType(positions, dtypes.Float32), B, T, 1, 1)
	f := ExpandLeftToRank(Const(positions.Graph(), r.frequencies(D)), 4)
	angles := Mul(BroadcastToDims(at, B, T, 1, D/2), BroadcastToDims(f, B, T, 1, D/2))
	return Cos(angles), Sin(angles)
}

// rotate turns every pair (i, i + n/2) of the first n dimensions of x [B, T, heads, D] by its position's angle i, in float32. The
// others stay as they are.
func (in places) rotate(x *Node) *Node {
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

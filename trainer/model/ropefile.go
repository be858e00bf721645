package model

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
)

// The values of rope_type beside default. Within the model's positions dynamic is the default.
const (
	ropeLinear  = "linear"
	ropeDynamic = "dynamic"
	ropeLlama3  = "llama3"
	ropeYarn    = "yarn"
	ropeLong    = "longrope"
)

func ropeTypes() []string { return []string{ropeLinear, ropeDynamic, ropeLlama3, ropeYarn, ropeLong} }

// ropeFile is the part of a config.json about positions: rope_parameters as transformers 5 writes it, or rope_theta and
// rope_scaling as 4 did.
type ropeFile struct {
	Parameters json.RawMessage `json:"rope_parameters"`
	Theta      *float64        `json:"rope_theta"`
	Scaling    json.RawMessage `json:"rope_scaling"`
	Partial    *float64        `json:"partial_rotary_factor"`
	Original   *float64        `json:"original_max_position_embeddings"`
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

	Scale        *float64  `json:"attention_factor"`
	Mscale       *float64  `json:"mscale"`
	MscaleAllDim *float64  `json:"mscale_all_dim"`
	FastTurns    *float64  `json:"beta_fast"`
	SlowTurns    *float64  `json:"beta_slow"`
	Truncate     *bool     `json:"truncate"`
	Short        []float64 `json:"short_factor"`

	// By layer type, as Gemma 3 has them.
	Full    json.RawMessage `json:"full_attention"`
	Sliding json.RawMessage `json:"sliding_attention"`
}

// rope is that of an architecture whose heads turn as a whole.
func (f ropeFile) rope(c Config) (Rope, error) {
	r, partial, err := f.read(c, 1)
	if err != nil {
		return r, err
	}
	if partial != 1 {
		return r, errors.New("partial_rotary_factor is not supported")
	}
	return r, r.fits(c.HeadDim)
}

// partialRope is that of an architecture that turns a share of every head, standard where config.json leaves it out.
func (f ropeFile) partialRope(c Config, standard float64) (Rope, error) {
	r, partial, err := f.read(c, standard)
	if err != nil {
		return r, err
	}
	if partial != 1 {
		if r.Dims, err = turning(partial, c.HeadDim); err != nil {
			return r, err
		}
	}
	return r, r.fits(cmp.Or(r.Dims, c.HeadDim))
}

// turning returns how many dimensions of a head turn where that is a share of them.
func turning(share float64, head int) (int, error) {
	dims := math.Floor(share * float64(head))
	if !(dims >= 2) || dims > float64(head) || math.Mod(dims, 2) != 0 {
		return 0, fmt.Errorf("partial_rotary_factor (rotary_pct) %g of head_dim %d is %g, want an even number up to head_dim", share, head, dims)
	}
	return int(dims), nil
}

// fits reports settings that are not for D dimensions.
func (r Rope) fits(D int) error {
	if D%2 != 0 {
		return fmt.Errorf("head_dim is %d, want an even number", D)
	}
	if r.Type == ropeLong && len(r.Short) != D/2 {
		return fmt.Errorf("short_factor has %d numbers, want one for each of the %d frequencies", len(r.Short), D/2)
	}
	return nil
}

// read returns the settings, and the share of each head that turns. As in transformers, rope_scaling goes before rope_parameters.
func (f ropeFile) read(c Config, standard float64) (r Rope, partial float64, err error) {
	var p ropeParameters
	name, text := "rope_scaling", f.Scaling
	if !says(text) {
		name, text = "rope_parameters", f.Parameters
	}
	if says(text) {
		if err := json.Unmarshal(text, &p); err != nil {
			return Rope{}, 0, fmt.Errorf("%s: %w", name, err)
		}
	}
	if says(p.Full) || says(p.Sliding) {
		return Rope{}, 0, fmt.Errorf("%s of each layer type are not supported", name)
	}
	p.Theta = new(or(p.Theta, or(f.Theta, 10000)))
	p.Original = new(or(f.Original, or(p.Original, float64(c.Positions))))
	if r, err = p.rope(c); err != nil {
		return Rope{}, 0, fmt.Errorf("%s: %w", name, err)
	}
	return r, or(p.Partial, or(f.Partial, standard)), nil
}

// rope returns the settings, of which Theta and Original are given.
func (p ropeParameters) rope(c Config) (Rope, error) {
	r := Rope{Theta: *p.Theta, Type: or(p.Type, or(p.OldType, "default"))}
	switch r.Type {
	case "default":
		r.Type = ""
	case ropeLinear, ropeDynamic:
		r.Factor = or(p.Factor, 0)
	case ropeLlama3:
		r.Factor, r.LowFreq, r.HighFreq, r.Original = or(p.Factor, 0), or(p.LowFreq, 0), or(p.HighFreq, 0), *p.Original
	case ropeYarn:
		r.Factor, r.Original, r.Exact = or(p.Factor, float64(c.Positions) / *p.Original), *p.Original, !or(p.Truncate, true)
		r.FastTurns, r.SlowTurns = cmp.Or(or(p.FastTurns, 0), 32), cmp.Or(or(p.SlowTurns, 0), 1)
		r.Scale = or(p.Scale, p.yarnScale(r.Factor))
	case ropeLong, "su": // its name in the first files of Phi-3
		r.Type = ropeLong
		r.Factor, r.Original, r.Short = or(p.Factor, float64(c.Positions) / *p.Original), *p.Original, p.Short
		r.Scale = or(p.Scale, math.Sqrt(1+math.Log(max(r.Factor, 1))/math.Log(r.Original)))
	default:
		return Rope{}, fmt.Errorf("rope_type %q is not supported, want default, %s", r.Type, strings.Join(ropeTypes(), ", "))
	}
	return r, r.validate()
}

// yarnScale is by how much yarn lengthens queries and keys to sharpen attention (Peng et al. 2023, section 3.4: the root of 1/t).
func (p ropeParameters) yarnScale(factor float64) float64 {
	scale := func(m float64) float64 { return 0.1*m*math.Log(max(factor, 1)) + 1 }
	if m, all := or(p.Mscale, 0), or(p.MscaleAllDim, 0); m != 0 && all != 0 {
		return scale(m) / scale(all)
	}
	return scale(1)
}

func (r Rope) validate() error {
	positive := func(v float64) bool { return v > 0 && !math.IsInf(v, 0) }
	switch {
	case !positive(r.Theta):
		return fmt.Errorf("rope_theta is %g, want a positive number", r.Theta)
	case r.Type != "" && !positive(r.Factor):
		return fmt.Errorf("factor is %g, want a positive number", r.Factor)
	case r.Type == ropeLlama3 && (!(r.LowFreq > 0) || !(r.HighFreq > r.LowFreq) || !(r.Original > 0)):
		return fmt.Errorf("low_freq_factor %g, high_freq_factor %g and original_max_position_embeddings %g: want 0 < low < high, and a "+
			"positive length",
			r.LowFreq, r.HighFreq, r.Original)
	case (r.Type == ropeYarn || r.Type == ropeLong) && (!(r.Original > 1) || r.Original > maxSize):
		return fmt.Errorf("original_max_position_embeddings is %g, want a length", r.Original)
	case (r.Type == ropeYarn || r.Type == ropeLong) && !positive(r.Scale):
		return fmt.Errorf("attention_factor (mscale) is %g, want a positive number", r.Scale)
	case r.Type == ropeYarn && (!positive(r.SlowTurns) || !positive(r.FastTurns) || !(r.Theta > 1)):
		return fmt.Errorf("beta_fast %g, beta_slow %g and rope_theta %g: want positive numbers, and a theta above 1",
			r.FastTurns, r.SlowTurns, r.Theta)
	case slices.ContainsFunc(r.Short, func(v float64) bool { return !positive(v) }):
		return errors.New("short_factor: want positive numbers")
	}
	return nil
}

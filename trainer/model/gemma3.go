package model

import (
	"encoding/json"
	"errors"
	"fmt"

	. "github.com/gomlx/gomlx/core/graph"
)

// gemma3 is the text part of Gemma 3 (Gemma Team 2025, arXiv:2503.19786): Gemma 2 with normalised queries and keys, a window in five
// layers of six, and another theta in those. transformers reads no cap on its scores.
func gemma3() architecture {
	a := gemma(parseGemma3)
	a.block = gemma3Block
	return a
}

func parseGemma3(text []byte) (Config, error) {
	var p struct {
		Pattern *int     `json:"sliding_window_pattern"`
		Theta   *float64 `json:"rope_local_base_freq"`
	}
	if err := json.Unmarshal(text, &p); err != nil {
		return Config{}, err
	}
	if or(p.Pattern, 6) < 1 {
		return Config{}, fmt.Errorf("sliding_window_pattern is %d, want a positive number", *p.Pattern)
	}
	g, c, err := parseGemma(text, Config{VocabSize: 262208, Positions: 131072, QKNorm: true}, or(p.Pattern, 6))
	if err != nil {
		return Config{}, err
	}
	c.Rope, c.LocalRope, err = g.layerRopes(c, or(p.Theta, 10000))
	return c, err
}

// layerRopes returns how positions turn in layers without and with a window. rope_parameters has both; rope_scaling, where it is given,
// goes before the first.
func (f ropeFile) layerRopes(c Config, localTheta float64) (global, local Rope, err error) {
	var p ropeParameters
	if says(f.Parameters) {
		if err := json.Unmarshal(f.Parameters, &p); err != nil {
			return global, local, fmt.Errorf("rope_parameters: %w", err)
		}
		if !says(p.Full) && !says(p.Sliding) {
			return global, local, errors.New("rope_parameters has neither full_attention nor sliding_attention")
		}
	}
	if global, err = f.layerRope(c, or(f.Theta, 1e6), p.Full, f.Scaling); err != nil {
		return global, local, fmt.Errorf("rope_parameters of full_attention (rope_scaling): %w", err)
	}
	if local, err = f.layerRope(c, localTheta, p.Sliding); err != nil {
		err = fmt.Errorf("rope_parameters of sliding_attention: %w", err)
	}
	return global, local, err
}

// layerRope reads the settings of a layer type; what a later text says counts.
func (f ropeFile) layerRope(c Config, theta float64, texts ...json.RawMessage) (Rope, error) {
	var p ropeParameters
	for _, text := range texts {
		if says(text) {
			if err := json.Unmarshal(text, &p); err != nil {
				return Rope{}, err
			}
		}
	}
	switch {
	case or(p.Partial, or(f.Partial, 1)) != 1:
		return Rope{}, errors.New("partial_rotary_factor is not supported")
	case !or(p.Truncate, true):
		return Rope{}, errors.New("truncate: false is not supported in a layer type")
	case p.OldType != nil && p.Type == nil:
		return Rope{}, errors.New("type is not read here; write rope_type")
	}
	p.Theta, p.Original = new(or(p.Theta, theta)), new(or(p.Original, float64(c.Positions)))
	r, err := p.rope(c)
	if err != nil {
		return r, err
	}
	return r, r.fits(c.HeadDim)
}

func gemma3Block(m trunk, x *Node, i int, in places) *Node {
	if m.windowed(i) {
		in.cos, in.sin = in.local.cos, in.local.sin
	}
	return gemmaBlock(m, x, i, in)
}

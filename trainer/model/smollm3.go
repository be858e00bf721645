package model

import (
	"encoding/json"
	"fmt"

	. "github.com/gomlx/gomlx/core/graph"
)

// smollm3 is SmolLM3 (Hugging Face 2025): Llama in which some layers, by default every fourth, do not turn positions (NoPE). Where
// windows are on, those layers have them.
func smollm3() architecture {
	a := llamaFamily(nil)
	a.parse, a.block = parseSmolLM3, smollm3Block
	return a
}

func parseSmolLM3(text []byte) (Config, error) {
	var s struct {
		Turns    []int `json:"no_rope_layers"` // 1 where positions turn, despite its name
		Interval *int  `json:"no_rope_layer_interval"`
	}
	if err := json.Unmarshal(text, &s); err != nil {
		return Config{}, err
	}
	f, c, err := parseShape(text, func(f llamaFile) Config {
		c := Config{
			VocabSize: or(f.VocabSize, 128256), Embed: 2048, Inner: or(f.Inner, 11008), Layers: 36, Heads: 16,
			Positions: or(f.Positions, 32768), KVHeads: f.KVHeads.or(4, f), HeadDim: or(f.HeadDim, 0), TieHead: true,
			QKVBias: f.AttentionBias, OutputBias: f.AttentionBias, MLPBias: f.MLPBias,
			Window: f.window(0),
		}
		if saysNull(text, "num_key_value_heads") {
			c.KVHeads = or(f.Heads, c.Heads)
		}
		c.NoRope = make([]bool, max(0, min(or(f.Layers, c.Layers), maxSize)))
		c.Windowed = make([]bool, len(c.NoRope))
		for i := range c.NoRope {
			c.NoRope[i] = i < len(s.Turns) && s.Turns[i] == 0 || s.Turns == nil && (i+1)%max(or(s.Interval, 4), 1) == 0
			c.Windowed[i] = c.NoRope[i] && f.UseSlidingWindow
		}
		return c
	})
	switch {
	case err != nil:
		return Config{}, err
	case s.Turns != nil && len(s.Turns) < c.Layers:
		return Config{}, fmt.Errorf("no_rope_layers has %d entries for %d layers", len(s.Turns), c.Layers)
	case or(s.Interval, 4) < 1:
		return Config{}, fmt.Errorf("no_rope_layer_interval is %d, want a positive number", *s.Interval)
	}
	f.Theta = new(or(f.Theta, 2e6))
	c.Rope, err = f.rope(c)
	return c, err
}

func smollm3Block(m trunk, x *Node, i int, in places) *Node {
	if m.NoRope[i] {
		in.cos, in.sin = nil, nil
	}
	return llamaBlock(m, x, i, in)
}

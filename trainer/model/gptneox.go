package model

import (
	"encoding/json"
	"fmt"
	"math"

	. "github.com/gomlx/gomlx/core/graph"
)

// gptNeoX is GPT-NeoX (Black et al. 2022) and Pythia (Biderman et al. 2023), as transformers' GPTNeoXForCausalLM computes it: a share
// of each head turns, one linear module makes q, k and v head by head, and attention and MLP may read the same x.
func gptNeoX() architecture {
	return architecture{
		parse:   parseGPTNeoX,
		pieces:  gptNeoXPieces,
		prefix:  "gpt_neox.",
		buffers: []string{".attention.bias", ".attention.masked_bias", ".rotary_emb.inv_freq"}, // of old files: mask and angles
		stored:  map[string]string{"lm_head.weight": "embed_out.weight"},
		tokens:  "gpt_neox.embed_in", finalNorm: "gpt_neox.final_layer_norm",
		begin: gptNeoXBegin, block: gptNeoXBlock, norm: layerNorm,
	}
}

func parseGPTNeoX(text []byte) (Config, error) {
	var f struct {
		VocabSize     *int     `json:"vocab_size"`
		Positions     *int     `json:"max_position_embeddings"`
		Embed         *int     `json:"hidden_size"`
		Layers        *int     `json:"num_hidden_layers"`
		Heads         *int     `json:"num_attention_heads"`
		Inner         *int     `json:"intermediate_size"`
		Activation    *string  `json:"hidden_act"`
		Epsilon       *float64 `json:"layer_norm_eps"`
		TieHead       bool     `json:"tie_word_embeddings"`
		Parallel      *bool    `json:"use_parallel_residual"`
		AttentionBias *bool    `json:"attention_bias"`
		RotaryShare   *float64 `json:"rotary_pct"`
		RotaryBase    *float64 `json:"rotary_emb_base"`
		ropeFile
	}
	if err := json.Unmarshal(text, &f); err != nil {
		return Config{}, err
	}
	c := Config{
		VocabSize: or(f.VocabSize, 50432), Positions: or(f.Positions, 2048), Embed: or(f.Embed, 6144), Layers: or(f.Layers, 44),
		Heads: or(f.Heads, 64), Inner: or(f.Inner, 24576), Activation: or(f.Activation, "gelu"), Epsilon: or(f.Epsilon, 1e-5),
		TieHead: f.TieHead, Parallel: or(f.Parallel, true), QKVBias: or(f.AttentionBias, true), OutputBias: or(f.AttentionBias, true),
		MLPBias: true,
	}
	if err := c.evenHeads(); err != nil {
		return Config{}, err
	}
	f.Theta, f.Partial = f.RotaryBase, f.RotaryShare // its own names of both
	var err error
	c.Rope, err = f.partialRope(c, 0.25)
	return c, err
}

// evenHeads divides the width among the heads, each with its own keys and values.
func (c *Config) evenHeads() error {
	if c.Heads > 0 && c.Embed%c.Heads != 0 {
		return fmt.Errorf("hidden_size %d is not a multiple of num_attention_heads %d", c.Embed, c.Heads)
	}
	c.KVHeads, c.HeadDim = c.Heads, c.Embed/max(c.Heads, 1)
	return nil
}

func gptNeoXPieces(c Config) []piece {
	C := c.Embed
	all := []piece{embeddingPiece("gpt_neox.embed_in", c.VocabSize, C)}
	for i := range c.Layers {
		all = append(all,
			normPiece(gptNeoXLayer(i, "input_layernorm"), C, true),
			normPiece(gptNeoXLayer(i, "post_attention_layernorm"), C, true),
			linearPiece(gptNeoXLayer(i, "attention.query_key_value"), C, 3*C, c.QKVBias),
			linearPiece(gptNeoXLayer(i, "attention.dense"), C, C, c.OutputBias),
			linearPiece(gptNeoXLayer(i, "mlp.dense_h_to_4h"), C, c.Inner, c.MLPBias),
			linearPiece(gptNeoXLayer(i, "mlp.dense_4h_to_h"), c.Inner, C, c.MLPBias),
		)
	}
	return append(all, normPiece("gpt_neox.final_layer_norm", C, true), headPiece(c))
}

func gptNeoXLayer(i int, module string) string {
	return fmt.Sprintf("gpt_neox.layers.%d.%s", i, module)
}

func gptNeoXBegin(m trunk, in places) *Node { return m.embed(in.ids, "gpt_neox.embed_in") }

func gptNeoXBlock(m trunk, x *Node, i int, in places) *Node {
	attended := Add(x, gptNeoXAttention(m, m.norm(x, gptNeoXLayer(i, "input_layernorm")), i, in))
	if !m.Parallel {
		x = attended
	}
	h := m.linear(m.norm(x, gptNeoXLayer(i, "post_attention_layernorm")), gptNeoXLayer(i, "mlp.dense_h_to_4h"))
	return Add(attended, m.linear(activate(h, m.Activation), gptNeoXLayer(i, "mlp.dense_4h_to_h")))
}

func gptNeoXAttention(m trunk, h *Node, i int, in places) *Node {
	D := m.HeadDim
	qkv := Reshape(m.linear(h, gptNeoXLayer(i, "attention.query_key_value")), in.B, in.T, m.Heads, 3*D)
	part := func(k int) *Node { return Slice(qkv, AxisRange(), AxisRange(), AxisRange(), AxisRange(k*D, (k+1)*D)) }
	h = m.attention(in.rotate(part(0)), in.rotate(part(1)), part(2), 1/math.Sqrt(float64(D)), in)
	return m.linear(h, gptNeoXLayer(i, "attention.dense"))
}

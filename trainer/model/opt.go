package model

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math"

	. "github.com/gomlx/gomlx/core/graph"
)

// opt is OPT (Zhang et al. 2022), as transformers' OPTForCausalLM computes it: learned positions, norms before or after, and token
// embeddings that may be narrower than the model.
func opt() architecture {
	return architecture{
		parse:  parseOPT,
		pieces: optPieces,
		prefix: "model.",
		tokens: "model.decoder.embed_tokens",
		begin:  optBegin, block: optBlock, end: optEnd, norm: layerNorm,
	}
}

// optOffset is the place of position 0 in the table of positions (transformers, OPTLearnedPositionalEmbedding).
const optOffset = 2

func parseOPT(text []byte) (Config, error) {
	var f struct {
		VocabSize   *int    `json:"vocab_size"`
		Positions   *int    `json:"max_position_embeddings"`
		Embed       *int    `json:"hidden_size"`
		Layers      *int    `json:"num_hidden_layers"`
		Heads       *int    `json:"num_attention_heads"`
		Inner       *int    `json:"ffn_dim"`
		TokenWidth  *int    `json:"word_embed_proj_dim"`
		Activation  *string `json:"activation_function"`
		TieHead     *bool   `json:"tie_word_embeddings"`
		NormBefore  *bool   `json:"do_layer_norm_before"`
		NoFinalNorm bool    `json:"_remove_final_layer_norm"`
		Bias        *bool   `json:"enable_bias"`
		Affine      *bool   `json:"layer_norm_elementwise_affine"`
	}
	if err := json.Unmarshal(text, &f); err != nil {
		return Config{}, err
	}
	if !or(f.Affine, true) {
		return Config{}, fmt.Errorf("layer_norm_elementwise_affine false is not supported: norms need weights")
	}
	bias := or(f.Bias, true)
	c := Config{
		VocabSize: or(f.VocabSize, 50272), Positions: or(f.Positions, 2048), Embed: or(f.Embed, 768), Layers: or(f.Layers, 12),
		Heads: or(f.Heads, 12), Inner: or(f.Inner, 3072), Activation: or(f.Activation, "relu"), Epsilon: 1e-5, TieHead: or(f.TieHead, true),
		QKVBias: bias, OutputBias: bias, MLPBias: bias,
		NormAfter: !or(f.NormBefore, true), NoFinalNorm: f.NoFinalNorm || !or(f.NormBefore, true),
	}
	if width := or(f.TokenWidth, c.Embed); width != c.Embed {
		c.TokenWidth = width
	}
	err := c.evenHeads()
	return c, err
}

func optPieces(c Config) []piece {
	C, width := c.Embed, cmp.Or(c.TokenWidth, c.Embed)
	all := []piece{
		embeddingPiece("model.decoder.embed_tokens", c.VocabSize, width),
		embeddingPiece("model.decoder.embed_positions", c.Positions+optOffset, C),
	}
	if c.TokenWidth != 0 {
		all = append(all, linearPiece("model.decoder.project_out", C, width, false), linearPiece("model.decoder.project_in", width, C, false))
	}
	if !c.NoFinalNorm {
		all = append(all, normPiece("model.decoder.final_layer_norm", C, true))
	}
	for i := range c.Layers {
		all = append(all,
			linearPiece(optLayer(i, "self_attn.k_proj"), C, C, c.QKVBias),
			linearPiece(optLayer(i, "self_attn.v_proj"), C, C, c.QKVBias),
			linearPiece(optLayer(i, "self_attn.q_proj"), C, C, c.QKVBias),
			linearPiece(optLayer(i, "self_attn.out_proj"), C, C, c.OutputBias),
			normPiece(optLayer(i, "self_attn_layer_norm"), C, true),
			linearPiece(optLayer(i, "fc1"), C, c.Inner, c.MLPBias),
			linearPiece(optLayer(i, "fc2"), c.Inner, C, c.MLPBias),
			normPiece(optLayer(i, "final_layer_norm"), C, true),
		)
	}
	return append(all, headPiece(c))
}

func optLayer(i int, module string) string {
	return fmt.Sprintf("model.decoder.layers.%d.%s", i, module)
}

func optBegin(m trunk, in places) *Node {
	x := m.embed(in.ids, "model.decoder.embed_tokens")
	if m.TokenWidth != 0 {
		x = m.linear(x, "model.decoder.project_in")
	}
	return Add(x, m.embed(AddScalar(in.positions, optOffset), "model.decoder.embed_positions"))
}

func optEnd(m trunk, x *Node) *Node {
	if !m.NoFinalNorm {
		x = m.norm(x, "model.decoder.final_layer_norm")
	}
	if m.TokenWidth != 0 {
		x = m.linear(x, "model.decoder.project_out")
	}
	return x
}

func optBlock(m trunk, x *Node, i int, in places) *Node {
	x = m.residual(x, optLayer(i, "self_attn_layer_norm"), func(h *Node) *Node {
		heads := func(which string) *Node {
			return Reshape(m.linear(h, optLayer(i, "self_attn."+which+"_proj")), in.B, in.T, m.Heads, m.HeadDim)
		}
		h = m.attention(heads("q"), heads("k"), heads("v"), 1/math.Sqrt(float64(m.HeadDim)), in)
		return m.linear(h, optLayer(i, "self_attn.out_proj"))
	})
	return m.residual(x, optLayer(i, "final_layer_norm"), func(h *Node) *Node {
		return m.linear(activate(m.linear(h, optLayer(i, "fc1")), m.Activation), optLayer(i, "fc2"))
	})
}

// residual adds to x what a part makes of it, normalised before or after.
func (m trunk) residual(x *Node, norm string, part func(*Node) *Node) *Node {
	if m.NormAfter {
		return m.norm(Add(x, part(x)), norm)
	}
	return Add(x, part(m.norm(x, norm)))
}

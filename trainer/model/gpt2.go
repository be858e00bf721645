package model

import (
	"encoding/json"
	"fmt"
	"math"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
)

// gpt2 is GPT-2 (Radford et al. 2019), as transformers' GPT2LMHeadModel computes it: learned positions, layer norms, one
// Conv1D for q, k and v together.
func gpt2() architecture {
	return architecture{
		parse:   parseGPT2,
		pieces:  gpt2Pieces,
		prefix:  "transformer.",
		buffers: []string{".attn.bias", ".attn.masked_bias"}, // the causal mask, which old files store
		tokens:  "transformer.wte", finalNorm: "transformer.ln_f",
		begin: gpt2Begin, block: gpt2Block, norm: layerNorm,
	}
}

// parseGPT2 reads a config.json. Both spellings, of transformers 4 and 5, agree on every key that GPT-2 needs.
func parseGPT2(text []byte) (Config, error) {
	var f struct {
		VocabSize    *int     `json:"vocab_size"`
		Positions    *int     `json:"n_positions"`
		Embed        *int     `json:"n_embd"`
		Layers       *int     `json:"n_layer"`
		Heads        *int     `json:"n_head"`
		Inner        *int     `json:"n_inner"`
		Activation   *string  `json:"activation_function"`
		Epsilon      *float64 `json:"layer_norm_epsilon"`
		TieHead      *bool    `json:"tie_word_embeddings"`
		ScaleScores  *bool    `json:"scale_attn_weights"`
		ScaleByLayer *bool    `json:"scale_attn_by_inverse_layer_idx"`

		// The names that other architectures give to four of them, which transformers takes too.
		HiddenSize     *int `json:"hidden_size"`
		MaxPositions   *int `json:"max_position_embeddings"`
		HiddenLayers   *int `json:"num_hidden_layers"`
		AttentionHeads *int `json:"num_attention_heads"`
	}
	if err := json.Unmarshal(text, &f); err != nil {
		return Config{}, err
	}
	c := Config{
		VocabSize:    or(f.VocabSize, 50257),
		Positions:    or(f.MaxPositions, or(f.Positions, 1024)),
		Embed:        or(f.HiddenSize, or(f.Embed, 768)),
		Layers:       or(f.HiddenLayers, or(f.Layers, 12)),
		Heads:        or(f.AttentionHeads, or(f.Heads, 12)),
		Activation:   or(f.Activation, "gelu_new"),
		Epsilon:      or(f.Epsilon, 1e-5),
		TieHead:      or(f.TieHead, true),
		ScaleScores:  or(f.ScaleScores, true),
		ScaleByLayer: or(f.ScaleByLayer, false),
	}
	c.Inner = or(f.Inner, 4*c.Embed)
	c.KVHeads = c.Heads
	if c.Heads > 0 && c.Embed%c.Heads != 0 {
		return Config{}, fmt.Errorf("n_embd %d is not a multiple of n_head %d", c.Embed, c.Heads)
	}
	c.HeadDim = c.Embed / max(c.Heads, 1)
	return c, nil
}

func gpt2Pieces(c Config) []piece {
	C := c.Embed
	all := []piece{embeddingPiece("transformer.wte", c.VocabSize, C), embeddingPiece("transformer.wpe", c.Positions, C)}
	for i := range c.Layers {
		all = append(all,
			normPiece(gpt2Layer(i, "ln_1"), C, true),
			conv1DPiece(gpt2Layer(i, "attn.c_attn"), C, 3*C),
			conv1DPiece(gpt2Layer(i, "attn.c_proj"), C, C),
			normPiece(gpt2Layer(i, "ln_2"), C, true),
			conv1DPiece(gpt2Layer(i, "mlp.c_fc"), C, c.Inner),
			conv1DPiece(gpt2Layer(i, "mlp.c_proj"), c.Inner, C),
		)
	}
	return append(all, normPiece("transformer.ln_f", C, true), headPiece(c))
}

func gpt2Layer(i int, module string) string { return fmt.Sprintf("transformer.h.%d.%s", i, module) }

func gpt2Begin(m trunk, in places) *Node {
	return Add(m.embed(in.ids, "transformer.wte"), m.embed(in.positions, "transformer.wpe"))
}

func gpt2Block(m trunk, x *Node, i int, in places) *Node {
	h := m.linear(m.norm(x, gpt2Layer(i, "ln_1")), gpt2Layer(i, "attn.c_attn"))
	q, k, v := gpt2Split(m, h, in)
	h = m.attention(q, k, v, gpt2Scale(m.Config, i), in)
	x = Add(x, m.linear(h, gpt2Layer(i, "attn.c_proj")))
	h = m.linear(m.norm(x, gpt2Layer(i, "ln_2")), gpt2Layer(i, "mlp.c_fc"))
	h = activate(h, m.Activation)
	return Add(x, m.linear(h, gpt2Layer(i, "mlp.c_proj")))
}

// gpt2Split takes qkv [B*T, 3C] apart: [B, T, H, D] each.
func gpt2Split(m trunk, qkv *Node, in places) (q, k, v *Node) {
	part := func(k int) *Node {
		return Reshape(Slice(qkv, AxisRange(), AxisRange(k*m.Embed, (k+1)*m.Embed)), in.B, in.T, m.Heads, m.HeadDim)
	}
	return part(0), part(1), part(2)
}

func gpt2Scale(c Config, i int) float64 {
	scale := 1.0
	if c.ScaleScores {
		scale /= math.Sqrt(float64(c.HeadDim))
	}
	if c.ScaleByLayer {
		scale /= float64(i + 1)
	}
	return scale
}

// layerNorm is layer normalisation over the last axis of x [n, C], in float32 whatever the compute type, as torch's.
func layerNorm(m trunk, x *Node, module string) *Node {
	dtype := x.DType()
	x = ConvertDType(x, dtypes.Float32)
	weight := ConvertDType(m.tensors[module+".weight"], dtypes.Float32)
	bias := ConvertDType(m.tensors[module+".bias"], dtypes.Float32)
	centred := Sub(x, ReduceAndKeep(x, ReduceMean, -1))
	variance := ReduceAndKeep(Square(centred), ReduceMean, -1)
	y := Div(centred, Sqrt(AddScalar(variance, m.Epsilon)))
	y = Add(Mul(y, ExpandAxes(weight, 0)), ExpandAxes(bias, 0))
	return ConvertDType(y, dtype)
}

package model

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
)

// llama is Llama 1 to 3 (Touvron et al. 2023; Grattafiori et al. 2024) and what shares its model_type, such as SmolLM2, as
// transformers' LlamaForCausalLM computes it: rotary positions, RMS norms, a gated MLP, grouped-query attention.
func llama() architecture {
	return llamaFamily(func(f llamaFile) Config {
		return Config{
			VocabSize: or(f.VocabSize, 32000), Inner: or(f.Inner, 11008), Positions: or(f.Positions, 2048),
			KVHeads: f.KVHeads.or(f.heads(), f), HeadDim: or(f.HeadDim, f.width()),
			QKVBias: f.AttentionBias, OutputBias: f.AttentionBias, MLPBias: f.MLPBias,
		}
	})
}

// llamaFamily is an architecture with Llama's blocks. own returns what its config.json says that the family does not share, and
// standards that are not Llama's; parseLlama adds the rest.
func llamaFamily(own func(f llamaFile) Config) architecture {
	return architecture{
		parse:   func(text []byte) (Config, error) { return parseLlama(text, own) },
		pieces:  llamaPieces("input_layernorm", "post_attention_layernorm"),
		prefix:  "model.",
		buffers: []string{".rotary_emb.inv_freq"}, // recomputed; files from before transformers 4.32 store it
		tokens:  "model.embed_tokens", finalNorm: "model.norm",
		begin: llamaBegin, block: llamaBlock, norm: rmsNorm,
	}
}

// llamaFile is a config.json of the Llama family.
type llamaFile struct {
	VocabSize        *int     `json:"vocab_size"`
	Positions        *int     `json:"max_position_embeddings"`
	Embed            *int     `json:"hidden_size"`
	Layers           *int     `json:"num_hidden_layers"`
	Heads            *int     `json:"num_attention_heads"`
	KVHeads          kvHeads  `json:"num_key_value_heads"`
	HeadDim          *int     `json:"head_dim"`
	Inner            *int     `json:"intermediate_size"`
	Activation       *string  `json:"hidden_act"`
	Epsilon          *float64 `json:"rms_norm_eps"`
	TieHead          *bool    `json:"tie_word_embeddings"`
	AttentionBias    bool     `json:"attention_bias"`
	MLPBias          bool     `json:"mlp_bias"`
	UseSlidingWindow bool     `json:"use_sliding_window"`
	MaxWindowLayers  *int     `json:"max_window_layers"`
	LayerTypes       []string `json:"layer_types"`

	// SlidingWindow is kept as it is, because null and absent differ: no window, and the architecture's standard.
	SlidingWindow json.RawMessage `json:"sliding_window"`

	ropeFile
}

// kvHeads is num_key_value_heads: null, for as many as there are heads, is not the same as absent, for the architecture's standard.
type kvHeads struct {
	there bool
	n     *int
}

// UnmarshalJSON reads a number or null.
func (k *kvHeads) UnmarshalJSON(text []byte) error {
	k.there = true
	return json.Unmarshal(text, &k.n)
}

func (k kvHeads) or(standard int, f llamaFile) int {
	if k.there {
		return or(k.n, f.heads())
	}
	return standard
}

func (f llamaFile) heads() int { return or(f.Heads, 32) }

// width is the head dimension where config.json leaves it out.
func (f llamaFile) width() int { return or(f.Embed, 4096) / max(f.heads(), 1) }

func parseLlama(text []byte, own func(llamaFile) Config) (Config, error) {
	f, c, err := parseShape(text, own)
	if err != nil {
		return Config{}, err
	}
	c.Rope, err = f.rope(c)
	return c, err
}

// parseShape reads all but positions.
func parseShape(text []byte, own func(llamaFile) Config) (llamaFile, Config, error) {
	var f llamaFile
	if err := json.Unmarshal(text, &f); err != nil {
		return f, Config{}, err
	}
	c := own(f)
	c.Embed = or(f.Embed, cmp.Or(c.Embed, 4096))
	c.Layers = or(f.Layers, cmp.Or(c.Layers, 32))
	c.Heads = or(f.Heads, cmp.Or(c.Heads, 32))
	c.Activation = or(f.Activation, cmp.Or(c.Activation, "silu"))
	c.Epsilon = or(f.Epsilon, cmp.Or(c.Epsilon, 1e-6))
	c.TieHead = or(f.TieHead, c.TieHead)
	if f.HeadDim == nil && c.HeadDim == 0 {
		c.HeadDim = c.Embed / max(c.Heads, 1)
	}
	if f.HeadDim == nil && c.HeadDim*c.Heads != c.Embed && c.HeadDim == c.Embed/max(c.Heads, 1) {
		return f, c, fmt.Errorf("hidden_size %d is not a multiple of num_attention_heads %d, and head_dim is not given", c.Embed, c.Heads)
	}
	if f.UseSlidingWindow && c.Windowed == nil {
		return f, c, fmt.Errorf("use_sliding_window is not supported")
	}
	var err error
	if f.LayerTypes != nil {
		c.Windowed, err = windowedLayers(f.LayerTypes, c.Window)
	}
	return f, c, err
}

// llamaPieces returns the parts of a model whose layers have these norms beside q_norm and k_norm.
func llamaPieces(norms ...string) func(c Config) []piece {
	return func(c Config) []piece {
		return llamaStack(c, norms, func(i int) []piece { return append(llamaAttentionPieces(c, i), llamaMLPPieces(c, i)...) })
	}
}

// llamaStack returns the parts of a model whose layers hold what layer says, and norms.
func llamaStack(c Config, norms []string, layer func(i int) []piece) []piece {
	all := []piece{embeddingPiece("model.embed_tokens", c.VocabSize, c.Embed)}
	for i := range c.Layers {
		all = append(all, layer(i)...)
		for _, norm := range norms {
			all = append(all, normPiece(llamaLayer(i, norm), c.Embed, false))
		}
	}
	return append(all, normPiece("model.norm", c.Embed, false), headPiece(c))
}

func llamaAttentionPieces(c Config, i int) []piece {
	C, q, kv := c.Embed, c.Heads*c.HeadDim, c.KVHeads*c.HeadDim
	all := []piece{
		linearPiece(llamaLayer(i, "self_attn.q_proj"), C, q, c.QKVBias),
		linearPiece(llamaLayer(i, "self_attn.k_proj"), C, kv, c.QKVBias),
		linearPiece(llamaLayer(i, "self_attn.v_proj"), C, kv, c.QKVBias),
		linearPiece(llamaLayer(i, "self_attn.o_proj"), q, C, c.OutputBias),
	}
	switch {
	case c.WideQKNorm:
		return append(all, normPiece(llamaLayer(i, "self_attn.q_norm"), q, false), normPiece(llamaLayer(i, "self_attn.k_norm"), kv, false))
	case c.QKNorm:
		return append(all,
			normPiece(llamaLayer(i, "self_attn.q_norm"), c.HeadDim, false),
			normPiece(llamaLayer(i, "self_attn.k_norm"), c.HeadDim, false),
		)
	}
	return all
}

func llamaMLPPieces(c Config, i int) []piece {
	return []piece{
		linearPiece(llamaLayer(i, "mlp.gate_proj"), c.Embed, c.Inner, c.MLPBias),
		linearPiece(llamaLayer(i, "mlp.up_proj"), c.Embed, c.Inner, c.MLPBias),
		linearPiece(llamaLayer(i, "mlp.down_proj"), c.Inner, c.Embed, c.MLPBias),
	}
}

func llamaLayer(i int, module string) string { return fmt.Sprintf("model.layers.%d.%s", i, module) }

func llamaBegin(m trunk, in places) *Node {
	return times(m.embed(in.ids, "model.embed_tokens"), m.EmbedScale)
}

func llamaBlock(m trunk, x *Node, i int, in places) *Node {
	h := llamaAttention(m, m.norm(x, llamaLayer(i, "input_layernorm")), i, in)
	x = Add(x, times(h, m.ResidualScale))
	h = llamaMLP(m, m.norm(x, llamaLayer(i, "post_attention_layernorm")), i)
	return Add(x, times(h, m.ResidualScale))
}

func llamaAttention(m trunk, h *Node, i int, in places) *Node {
	q := llamaHeads(m, h, i, "q", m.Heads, in)
	k := llamaHeads(m, h, i, "k", m.KVHeads, in)
	v := llamaHeads(m, h, i, "v", m.KVHeads, in)
	h = m.attention(q, k, v, cmp.Or(m.ScoreScale, 1/math.Sqrt(float64(m.HeadDim))), in)
	return m.linear(h, llamaLayer(i, "self_attn.o_proj"))
}

func llamaMLP(m trunk, h *Node, i int) *Node {
	gate := activate(m.linear(h, llamaLayer(i, "mlp.gate_proj")), m.Activation)
	h = Mul(gate, m.linear(h, llamaLayer(i, "mlp.up_proj")))
	return m.linear(h, llamaLayer(i, "mlp.down_proj"))
}

// llamaHeads projects h [B*T, C] to the queries, keys or values of layer i, [B, T, heads, D]. Queries and keys are rotated to
// their positions.
func llamaHeads(m trunk, h *Node, i int, which string, heads int, in places) *Node {
	y, norm := m.linear(h, llamaLayer(i, "self_attn."+which+"_proj")), llamaLayer(i, "self_attn."+which+"_norm")
	if m.WideQKNorm && which != "v" {
		y = m.norm(y, norm)
	}
	y = Reshape(y, in.B, in.T, heads, m.HeadDim)
	if which == "v" {
		return y
	}
	if m.QKNorm {
		y = m.norm(y, norm)
	}
	return in.rotate(y)
}

// rmsNorm is root-mean-square normalisation over the last axis, in float32 whatever the compute type.
func rmsNorm(m trunk, x *Node, module string) *Node {
	dtype := x.DType()
	x = ConvertDType(x, dtypes.Float32)
	weight := ConvertDType(m.tensors[module+".weight"], dtypes.Float32)
	if m.arch.normOffset != 0 {
		weight = AddScalar(weight, m.arch.normOffset)
	}
	y := Div(x, Sqrt(AddScalar(ReduceAndKeep(Square(x), ReduceMean, -1), m.Epsilon)))
	return ConvertDType(Mul(y, ExpandLeftToRank(weight, x.Rank())), dtype)
}

package model

import (
	"encoding/json"
	"errors"
	"math"
	"slices"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/dtypes/bfloat16"
	. "github.com/gomlx/gomlx/core/graph"
)

// gemma2 is Gemma 2 (Gemma Team 2024, arXiv:2408.00118): Llama with norms before and after attention and MLP, tanh caps on scores and
// logits, and a window in every other layer.
func gemma2() architecture { return gemma(parseGemma2) }

// gemma is an architecture with Gemma's blocks. Its norms' weights are kept as what they differ from 1 by.
func gemma(parse func(text []byte) (Config, error)) architecture {
	a := llamaFamily(nil)
	a.parse, a.begin, a.block, a.normOffset = parse, gemmaBegin, gemmaBlock, 1
	a.pieces = llamaPieces("input_layernorm", "post_attention_layernorm", "pre_feedforward_layernorm", "post_feedforward_layernorm")
	return a
}

func parseGemma2(text []byte) (Config, error) {
	g, c, err := parseGemma(text, Config{VocabSize: 256000, Positions: 8192, LogitCap: 30}, 2)
	if err != nil {
		return Config{}, err
	}
	if c.ScoreCap = or(g.ScoreCap, 50); saysNull(text, "attn_logit_softcapping") {
		c.ScoreCap = 0
	}
	c.Rope, err = g.rope(c)
	return c, err
}

// gemmaFile is what the config.json of a Gemma has beside Llama's keys. hidden_act, which old files have too, does not count.
type gemmaFile struct {
	Activation    *string  `json:"hidden_activation"`
	QueryScalar   *float64 `json:"query_pre_attn_scalar"`
	ScoreCap      *float64 `json:"attn_logit_softcapping"`
	LogitCap      *float64 `json:"final_logit_softcapping"`
	Bidirectional bool     `json:"use_bidirectional_attention"`

	llamaFile
}

// parseGemma reads all but positions. Every layer but each one at a multiple of pattern has the window.
func parseGemma(text []byte, standard Config, pattern int) (gemmaFile, Config, error) {
	var g gemmaFile
	if err := json.Unmarshal(text, &g); err != nil {
		return g, Config{}, err
	}
	if g.Bidirectional {
		return g, Config{}, errors.New("use_bidirectional_attention is not supported")
	}
	for _, s := range []setting{
		{"query_pre_attn_scalar", g.QueryScalar}, {"attn_logit_softcapping", g.ScoreCap}, {"final_logit_softcapping", g.LogitCap},
	} {
		if err := s.positive(); err != nil {
			return g, Config{}, err
		}
	}
	f, c, err := parseShape(text, func(f llamaFile) Config {
		c := standard
		c.VocabSize, c.Positions = or(f.VocabSize, c.VocabSize), or(f.Positions, c.Positions)
		c.Embed, c.Inner, c.Layers, c.Heads = 2304, or(f.Inner, 9216), 26, 8
		c.KVHeads, c.HeadDim, c.TieHead = f.KVHeads.or(4, f), or(f.HeadDim, 256), true
		c.QKVBias, c.OutputBias = f.AttentionBias, f.AttentionBias
		c.Window = f.window(4096)
		c.Windowed = make([]bool, max(0, min(or(f.Layers, c.Layers), maxSize)))
		for i := range c.Windowed {
			c.Windowed[i] = (i+1)%pattern != 0
		}
		return c
	})
	if err != nil {
		return g, Config{}, err
	}
	if c.Window == 0 && slices.Contains(c.Windowed, true) {
		return g, Config{}, errors.New("sliding_window is null, but layers of sliding_attention need one")
	}
	c.Activation = or(g.Activation, "gelu_pytorch_tanh")
	c.ScoreScale = 1 / math.Sqrt(or(g.QueryScalar, 256))
	if c.LogitCap = or(g.LogitCap, c.LogitCap); saysNull(text, "final_logit_softcapping") {
		c.LogitCap = 0
	}
	g.llamaFile = f
	return g, c, nil
}

// gemmaBegin scales the embedded tokens by a number of their own type: in bfloat16 sqrt(C) is rounded, too.
func gemmaBegin(m trunk, in places) *Node {
	x, scale := m.embed(in.ids, "model.embed_tokens"), math.Sqrt(float64(m.Embed))
	if x.DType() == dtypes.BFloat16 {
		scale = float64(bfloat16.FromFloat64(scale).Float32())
	}
	return times(x, scale)
}

func gemmaBlock(m trunk, x *Node, i int, in places) *Node {
	h := llamaAttention(m, m.norm(x, llamaLayer(i, "input_layernorm")), i, in)
	x = Add(x, m.norm(h, llamaLayer(i, "post_attention_layernorm")))
	h = llamaMLP(m, m.norm(x, llamaLayer(i, "pre_feedforward_layernorm")), i)
	return Add(x, m.norm(h, llamaLayer(i, "post_feedforward_layernorm")))
}

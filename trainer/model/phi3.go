package model

import (
	"fmt"
	"math"

	. "github.com/gomlx/gomlx/core/graph"
)

// phi3 is Phi-3, 3.5 and Phi-4-mini (Abdin et al. 2024, arXiv:2404.14219): Llama with one projection for q, k and v, and one for gate
// and up.
func phi3() architecture {
	a := llamaFamily(nil)
	a.parse, a.pieces, a.block = parsePhi3, phi3Pieces, phi3Block
	return a
}

func parsePhi3(text []byte) (Config, error) {
	f, c, err := parseShape(text, func(f llamaFile) Config {
		return Config{
			VocabSize: or(f.VocabSize, 32064), Embed: 3072, Inner: or(f.Inner, 8192), Positions: or(f.Positions, 4096),
			KVHeads: f.KVHeads.or(f.heads(), f), HeadDim: or(f.HeadDim, 0), Epsilon: 1e-5,
			Window: f.window(0),
		}
	})
	if err != nil {
		return Config{}, err
	}
	c.Windowed = nil // layer_types does not count here
	f.Original = new(or(f.Original, 4096))
	c.Rope, err = f.partialRope(c, 1)
	if err == nil && c.Rope.Type != "" && c.Rope.Type != ropeLong {
		err = fmt.Errorf("rope_type %q is not supported for phi3, want default or %s", c.Rope.Type, ropeLong)
	}
	return c, err
}

func phi3Pieces(c Config) []piece {
	return llamaStack(c, []string{"input_layernorm", "post_attention_layernorm"}, func(i int) []piece {
		return []piece{
			linearPiece(llamaLayer(i, "self_attn.o_proj"), c.Heads*c.HeadDim, c.Embed, false),
			linearPiece(llamaLayer(i, "self_attn.qkv_proj"), c.Embed, (c.Heads+2*c.KVHeads)*c.HeadDim, false),
			linearPiece(llamaLayer(i, "mlp.gate_up_proj"), c.Embed, 2*c.Inner, false),
			linearPiece(llamaLayer(i, "mlp.down_proj"), c.Inner, c.Embed, false),
		}
	})
}

func phi3Block(m trunk, x *Node, i int, in places) *Node {
	qkv := m.linear(m.norm(x, llamaLayer(i, "input_layernorm")), llamaLayer(i, "self_attn.qkv_proj"))
	heads := func(from, n int) *Node {
		return Reshape(columns(qkv, from*m.HeadDim, n*m.HeadDim), in.B, in.T, n, m.HeadDim)
	}
	q, k, v := heads(0, m.Heads), heads(m.Heads, m.KVHeads), heads(m.Heads+m.KVHeads, m.KVHeads)
	h := m.attention(in.rotate(q), in.rotate(k), v, 1/math.Sqrt(float64(m.HeadDim)), in)
	x = Add(x, m.linear(h, llamaLayer(i, "self_attn.o_proj")))
	both := m.linear(m.norm(x, llamaLayer(i, "post_attention_layernorm")), llamaLayer(i, "mlp.gate_up_proj"))
	h = Mul(activate(columns(both, 0, m.Inner), m.Activation), columns(both, m.Inner, m.Inner))
	return Add(x, m.linear(h, llamaLayer(i, "mlp.down_proj")))
}

// columns returns n columns of x [rows, width].
func columns(x *Node, from, n int) *Node { return Slice(x, AxisRange(), AxisRange(from, from+n)) }

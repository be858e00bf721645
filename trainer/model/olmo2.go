package model

import . "github.com/gomlx/gomlx/core/graph"

// olmo2 is OLMo 2 (OLMo Team 2024): Llama with norms after attention and MLP instead of before, and queries and keys normalised over
// all heads.
func olmo2() architecture {
	a := llamaFamily(func(f llamaFile) Config {
		return Config{
			VocabSize: or(f.VocabSize, 50304), Inner: or(f.Inner, 11008), Positions: or(f.Positions, 2048),
			KVHeads: f.KVHeads.or(f.heads(), f), HeadDim: or(f.HeadDim, 0), Epsilon: 1e-5,
			QKVBias: f.AttentionBias, OutputBias: f.AttentionBias,
			WideQKNorm: true,
		}
	})
	a.pieces = llamaPieces("post_attention_layernorm", "post_feedforward_layernorm")
	a.block = olmo2Block
	return a
}

func olmo2Block(m trunk, x *Node, i int, in places) *Node {
	x = Add(x, m.norm(llamaAttention(m, x, i, in), llamaLayer(i, "post_attention_layernorm")))
	return Add(x, m.norm(llamaMLP(m, x, i), llamaLayer(i, "post_feedforward_layernorm")))
}

package model

import "encoding/json"

// granite is Granite 3 (Granite Team, IBM 2024): Llama with factors on embedding, scores, residual branches and logits.
func granite() architecture {
	a := llamaFamily(nil)
	a.parse = parseGranite
	return a
}

func parseGranite(text []byte) (Config, error) {
	var g struct {
		Embedding *float64 `json:"embedding_multiplier"`
		Attention *float64 `json:"attention_multiplier"`
		Residual  *float64 `json:"residual_multiplier"`
		Logits    *float64 `json:"logits_scaling"`
	}
	if err := json.Unmarshal(text, &g); err != nil {
		return Config{}, err
	}
	for _, s := range []setting{
		{"embedding_multiplier", g.Embedding},
		{"attention_multiplier", g.Attention},
		{"residual_multiplier", g.Residual},
		{"logits_scaling", g.Logits},
	} {
		if err := s.positive(); err != nil {
			return Config{}, err
		}
	}
	return parseLlama(text, func(f llamaFile) Config {
		return Config{
			VocabSize: or(f.VocabSize, 32000), Inner: or(f.Inner, 11008), Positions: or(f.Positions, 2048),
			KVHeads: f.KVHeads.or(f.heads(), f), HeadDim: or(f.HeadDim, 0),
			QKVBias: f.AttentionBias, OutputBias: f.AttentionBias, MLPBias: f.MLPBias,
			EmbedScale: or(g.Embedding, 1), ScoreScale: or(g.Attention, 1), ResidualScale: or(g.Residual, 1),
			LogitScale: 1 / or(g.Logits, 1),
		}
	})
}

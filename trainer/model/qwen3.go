package model

// qwen3 is the dense Qwen3 (Yang et al. 2025): Llama with normalised queries and keys, whose heads are as wide as head_dim
// says.
func qwen3() architecture {
	return llamaFamily(func(f llamaFile) Config {
		window, windowed := f.upperWindow()
		return Config{
			VocabSize: or(f.VocabSize, 151936), Inner: or(f.Inner, 22016), Positions: or(f.Positions, 32768),
			KVHeads: f.KVHeads.or(32, f), HeadDim: or(f.HeadDim, 128),
			QKVBias: f.AttentionBias, OutputBias: f.AttentionBias,
			QKNorm: true, Window: window, Windowed: windowed,
		}
	})
}

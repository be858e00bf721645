package model

// qwen2 is Qwen2 and Qwen2.5 (Yang et al. 2024): Llama with biases on q, k and v.
func qwen2() architecture {
	return llamaFamily(func(f llamaFile) Config {
		window, windowed := f.upperWindow()
		return Config{
			VocabSize: or(f.VocabSize, 151936), Inner: or(f.Inner, 22016), Positions: or(f.Positions, 32768),
			KVHeads: f.KVHeads.or(32, f), HeadDim: or(f.HeadDim, f.width()),
			QKVBias: true,
			Window:  window, Windowed: windowed,
		}
	})
}

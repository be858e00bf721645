package model

// mistral is Mistral 7B's family (Jiang et al. 2023): Llama whose tokens may see only a window of the tokens before them.
func mistral() architecture {
	return llamaFamily(func(f llamaFile) Config {
		return Config{
			VocabSize: or(f.VocabSize, 32000), Inner: or(f.Inner, 14336), Positions: or(f.Positions, 4096*32),
			KVHeads: f.KVHeads.or(8, f), HeadDim: or(f.HeadDim, f.width()),
			Window: f.window(4096),
		}
	})
}

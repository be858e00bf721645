package model

import (
	"bytes"
	"strconv"
)

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

// window returns the sliding window; 0 where config.json says null. What is no number is -1, which Validate refuses.
func (f llamaFile) window(standard int) int {
	text := bytes.TrimSpace(f.SlidingWindow)
	switch {
	case len(text) == 0:
		return standard
	case string(text) == "null":
		return 0
	}
	n, err := strconv.Atoi(string(text))
	if err != nil || n < 1 {
		return -1
	}
	return n
}

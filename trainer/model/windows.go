package model

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strconv"
)

// windowed reports whether layer i sees no further back than the window.
func (c Config) windowed(i int) bool { return c.Window > 0 && (c.Windowed == nil || c.Windowed[i]) }

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

// upperWindow returns Qwen's choice where config.json has no layer_types: the layers from max_window_layers on have the window, and
// none without use_sliding_window.
func (f llamaFile) upperWindow() (window int, windowed []bool) {
	if !f.UseSlidingWindow {
		return 0, nil
	}
	windowed = make([]bool, max(0, min(or(f.Layers, 32), maxSize)))
	for i := range windowed {
		windowed[i] = i >= or(f.MaxWindowLayers, 28)
	}
	return f.window(4096), windowed
}

// windowedLayers reads layer_types: which layers have the window, nil where there is none.
func windowedLayers(types []string, window int) ([]bool, error) {
	windowed := make([]bool, len(types))
	for i, t := range types {
		switch t {
		case "sliding_attention":
			windowed[i] = true
		case "full_attention", "attention": // transformers' older name
		default:
			return nil, fmt.Errorf("layer_types: layer %d is %q, want sliding_attention or full_attention", i, t)
		}
	}
	switch {
	case window != 0:
		return windowed, nil
	case slices.Contains(windowed, true):
		return nil, errors.New("layer_types has sliding_attention, but there is no sliding_window, or use_sliding_window does not turn it on")
	}
	return nil, nil
}

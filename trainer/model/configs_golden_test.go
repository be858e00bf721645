package model

import (
	"cmp"
	"encoding/json"
	"fmt"
	"testing"
)

// TestRopeGolden compares frequencies, and the factor on cosine and sine, with what transformers computes.
func TestRopeGolden(t *testing.T) {
	t.Parallel()
	var cases map[string]struct {
		Config      json.RawMessage
		Frequencies []float64
		Scale       float64
	}
	readJSON(t, "testdata/configs/rope.json", &cases)
	for name, want := range cases {
		c, err := ParseConfig(want.Config)
		must(t, err)
		check(t, name+": scale", cmp.Or(c.Rope.Scale, 1), want.Scale, 1e-12)
		dims := cmp.Or(c.Rope.Dims, c.HeadDim)
		if dims != 2*len(want.Frequencies) {
			t.Errorf("%s: %d dimensions turn, want %d", name, dims, 2*len(want.Frequencies))
			continue
		}
		for i, f := range c.Rope.frequencies(dims) {
			check(t, fmt.Sprintf("%s: frequency %d", name, i), float64(f), want.Frequencies[i], 1e-6*want.Frequencies[i]) // a few float32 roundings
		}
	}
}

// TestShapesGolden: config.json files as they are on the hub, and those that say nothing, have the parameters, windows and
// frequencies that they have in transformers.
func TestShapesGolden(t *testing.T) {
	t.Parallel()
	var cases map[string]struct {
		Config     json.RawMessage
		Parameters int64
		Layers     []struct {
			Window      int
			Frequencies []float64
		}
	}
	readJSON(t, "testdata/configs/shapes.json", &cases)
	for name, want := range cases {
		c, err := ParseConfig(want.Config)
		must(t, err)
		if n := c.Params(); n != want.Parameters || c.Layers != len(want.Layers) {
			t.Errorf("%s: %d parameters in %d layers, want %d in %d", name, n, c.Layers, want.Parameters, len(want.Layers))
			continue
		}
		for i, layer := range want.Layers {
			window, rope := 0, c.Rope
			if c.windowed(i) {
				window = c.Window
				if c.LocalRope.Theta > 0 {
					rope = c.LocalRope
				}
			}
			if window != layer.Window {
				t.Errorf("%s: layer %d has a window of %d, want %d", name, i, window, layer.Window)
			}
			if still := c.NoRope != nil && c.NoRope[i]; still != (len(layer.Frequencies) == 0) {
				t.Errorf("%s: layer %d turns: %t", name, i, !still)
				continue
			} else if still {
				continue
			}
			f := rope.frequencies(cmp.Or(rope.Dims, c.HeadDim))
			check(t, fmt.Sprintf("%s: layer %d turns first by", name, i), float64(f[0]), layer.Frequencies[0], 1e-6)
			check(t, fmt.Sprintf("%s: layer %d turns last by", name, i), float64(f[len(f)-1]), layer.Frequencies[1], 1e-6*layer.Frequencies[1])
		}
	}
}

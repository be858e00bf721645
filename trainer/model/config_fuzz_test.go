package model

import (
	"cmp"
	"encoding/json"
	"math"
	"testing"
)

// FuzzConfig: whatever a config.json says, it is refused, or positions turn by numbers and what a small model holds can be counted.
func FuzzConfig(f *testing.F) {
	for _, name := range Architectures() {
		f.Add([]byte(`{"model_type": "` + name + `", "num_hidden_layers": 2}`))
	}
	for _, file := range []string{"rope.json", "shapes.json"} {
		var cases map[string]struct{ Config json.RawMessage }
		readJSON(f, "testdata/configs/"+file, &cases)
		for _, c := range cases {
			f.Add([]byte(c.Config))
		}
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		c, err := ParseConfig(text)
		if err != nil || c.Layers > 100 || c.HeadDim > 1<<12 {
			return
		}
		if n := c.Params(); n <= 0 {
			t.Errorf("%d parameters", n)
		}
		for i := range c.Layers {
			_ = c.windowed(i) || c.NoRope != nil && c.NoRope[i]
		}
		for _, r := range []Rope{c.Rope, c.LocalRope} {
			if r.Theta == 0 {
				continue
			}
			for i, v := range r.frequencies(cmp.Or(r.Dims, c.HeadDim)) {
				if math.IsNaN(float64(v)) {
					t.Errorf("frequency %d of %+v is NaN", i, r)
				}
			}
		}
	})
}

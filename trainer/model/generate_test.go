package model

import (
	"testing"
)

func TestNextLogitsAreTheLogitsAtAPosition(t *testing.T) {
	t.Parallel()
	for name, open := range backends() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := tinyOptions(t, 8)
			p := newTiny(t, open(t), readTensors(t, "testdata/lora/gpt2_c_attn_r8/seeded.safetensors"), o)
			b := tinyInputs(t).batch(t)
			all, err := p.Logits(b)
			if err != nil {
				t.Fatal(err)
			}
			at := []int32{3, int32(b.T) - 1}
			next, err := p.NextLogits(b, at)
			if err != nil {
				t.Fatal(err)
			}
			V := next.Shape[1]
			for row, position := range at {
				start := (row*b.T + int(position)) * V
				if d := maxDiff(next.Data[row*V:(row+1)*V], all.Data[start:start+V]); d > 1e-5 {
					t.Errorf("row %d, position %d: logits differ by %g", row, position, d)
				}
			}
		})
	}
}

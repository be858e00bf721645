package model

import (
	"path/filepath"
	"testing"
)

// TestVariantsGolden shows what the tiny models do not: a sliding window, interpolated positions, biases everywhere, scores
// scaled by layer.
func TestVariantsGolden(t *testing.T) {
	t.Parallel()
	dirs, err := filepath.Glob("testdata/variants/*")
	must(t, err)
	if len(dirs) != 4 {
		t.Fatalf("variants: %v", dirs)
	}
	for _, dir := range dirs {
		for platform, open := range backends() {
			t.Run(filepath.Base(dir)+"/"+platform, func(t *testing.T) {
				t.Parallel()
				var in jsonBatch
				readJSON(t, filepath.Join(dir, "inputs.json"), &in)
				p := newBare(t, open(t), dir)
				logits, err := p.Logits(in.batch(t))
				must(t, err)
				if d := maxDiff(logits.Data, readTensors(t, dir+"/forward.safetensors")["logits"].Data); d > logitsTolerance {
					t.Errorf("logits differ by %g", d)
				}
			})
		}
	}
}

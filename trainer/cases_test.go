package trainer_test

import (
	"math"
	"path/filepath"
	"testing"

	"github.com/ranksweep/ranksweep/trainer"
	"github.com/ranksweep/ranksweep/trainer/backend"
)

// TestReportedKinds: models and adapters of kinds that people have reported as misread, with the losses that transformers 5.24.0 and
// PEFT 0.21.2 compute.
func TestReportedKinds(t *testing.T) {
	t.Parallel()
	c := resolve(t, backend.PlatformGo)
	for _, tt := range []struct {
		model, adapter string
		want           float64
	}{
		{"tied-config-own-head", "", 7.09835},
		{"qwen2tied", "lmhead-adapter-on-tied", 10.56915},
		{"llama3", "adapter-with-saved-embeddings", 7.08340},
		{"llama3", "ensure-weight-tying", 7.03414},
		{"llama3", "", 7.147418},
		{"gguf-split", "", 7.147418}, // llama3, converted and split
	} {
		t.Run(tt.model+"+"+tt.adapter, func(t *testing.T) {
			t.Parallel()
			info, err := trainer.Inspect(t.Context(), filepath.Join("testdata/cases", tt.model), trainer.InspectOptions{})
			must(t, err)
			o := trainer.EvaluateOptions{Model: info, Data: []string{"testdata/cases/rows.jsonl"}, BatchSize: 6, Backend: c}
			if tt.adapter != "" {
				o.Adapter = filepath.Join("testdata/cases", tt.adapter)
			}
			got, err := trainer.Evaluate(t.Context(), o)
			must(t, err)
			if math.Abs(got.Loss-tt.want) > 6e-6 { // the references have five decimals
				t.Errorf("loss %.6f, want %.6f", got.Loss, tt.want)
			}
		})
	}
}

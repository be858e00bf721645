package grid_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/ranksweep/ranksweep/sweep/grid"
	"github.com/ranksweep/ranksweep/sweep/lora"
	"github.com/ranksweep/ranksweep/sweep/sweeptest"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

func BenchmarkExpand(b *testing.B) {
	sweeptest.Sizes(b, func(b *testing.B, ladders int) {
		b.Helper()
		var alphas, rates []string
		for i := range ladders / 10 {
			alphas = append(alphas, fmt.Sprint(i+1))
		}
		for i := range 10 {
			rates = append(rates, fmt.Sprintf("%de-4", i+1))
		}
		g, err := grid.Parse("large.yaml", fmt.Appendf(nil, `model: builtin:gopher
data: {train: builtin:go-doc, validation_split: 0.1, sequence_length: 64}
lora: {rank: [1, 2, 4, 8, 16, 32, 64, 128, 256], alpha: [%s], target_modules: [c_attn]}
train: {steps: 300, learning_rate: [%s]}
seeds: [0, 1, 2]
`, strings.Join(alphas, ", "), strings.Join(rates, ", ")))
		if err != nil {
			b.Fatal(err)
		}
		models := map[string]trial.ModelInfo{
			"builtin:gopher": {MaxPositions: 128, Modules: []lora.Module{{Name: "transformer.h.0.attn.c_attn", In: 768, Out: 2304}}},
		}
		resolved := g.Resolve("/grids")
		for b.Loop() {
			plans, _, err := resolved.Expand(models)
			if err != nil || len(plans) != ladders {
				b.Fatalf("%d ladders, %v", len(plans), err)
			}
		}
	})
}

package grid_test

import (
	"fmt"

	"github.com/ranksweep/ranksweep/sweep/grid"
	"github.com/ranksweep/ranksweep/sweep/lora"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

func ExampleParse() {
	_, err := grid.Parse("notes.yaml", []byte(`model: openai-community/gpt2
data: {train: notes.txt, validation_split: 0.1, sequence_length: 128}
lora: {rank: [1, 2, 8, 4], alfa: 16, target_modules: [c_attn]}
train: {steps: 300, learning_rate: 2e-4}
`))
	fmt.Println(err)
	// Output:
	// notes.yaml:3:24: lora.rank: 4 after 8; list the ranks in ascending order
	// notes.yaml:3:28: unknown key lora.alfa; did you mean alpha?
}

func ExampleResolved_Expand() {
	g, err := grid.Parse("notes.yaml", []byte(`model: builtin:gopher
data: {train: builtin:go-doc, validation_split: 0.1, sequence_length: 64}
lora: {rank: {from: 2, to: 8}, alpha: [16, 2r], target_modules: [c_attn]}
train: {steps: 300}
`))
	if err != nil {
		fmt.Println(err)
		return
	}
	models := map[string]trial.ModelInfo{
		"builtin:gopher": {MaxPositions: 128, Modules: []lora.Module{{Name: "transformer.h.0.attn.c_attn", In: 128, Out: 384}}},
	}
	ladders, _, err := g.Resolve("/grids").Expand(models)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, l := range ladders {
		for _, r := range l.Rungs {
			fmt.Println(l.Cell.Axes(), "rank", r.Rank, "alpha", r.Trials[0].Trial.Alpha)
		}
	}
	// Output:
	// alpha=16 rank 2 alpha 16
	// alpha=16 rank 4 alpha 16
	// alpha=16 rank 8 alpha 16
	// alpha=2r rank 2 alpha 4
	// alpha=2r rank 4 alpha 8
	// alpha=2r rank 8 alpha 16
}

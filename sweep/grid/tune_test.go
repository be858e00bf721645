package grid_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ranksweep/ranksweep/sweep/lora"
	"github.com/ranksweep/ranksweep/sweep/sweeptest"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

// TestExpandTune: tuned axes are no part of a cell; each cell has their combinations as candidates, in the grid's order
// whatever the order of train.tune, and a ladder has the ranks that all of them can climb.
func TestExpandTune(t *testing.T) {
	t.Parallel()
	g := parse(t, `model: builtin:gopher
data: {train: a.txt, validation: b.txt, sequence_length: 64}
lora: {rank: {from: 2}, alpha: [16, 2r], dropout: [0, 0.1], target_modules: [[c_attn], [narrow]]}
train: {steps: 10, learning_rate: [1.0e-3, 3.0e-3], tune: [learning_rate, alpha, target_modules]}
seeds: [5, 3]
`)
	modules := append(sweeptest.GPT2Modules(1, 8), lora.Module{Name: "narrow", In: 8, Out: 3})
	ladders, _, err := g.Resolve("/grids").Expand(map[string]trial.ModelInfo{"builtin:gopher": {Modules: modules}})
	if err != nil {
		t.Fatal(err)
	}
	if len(ladders) != 2 || ladders[1].Cell.Axes().String() != "dropout=0.1" || strings.Contains(ladders[1].Cell.String(), "learning_rate") {
		t.Fatalf("%d ladders, the second of cell %s", len(ladders), ladders[1].Cell)
	}
	var candidates []string
	for _, c := range ladders[1].Candidates {
		candidates = append(candidates, c.String())
	}
	var want []string
	for _, target := range []string{"[c_attn]", "[narrow]"} {
		for _, alpha := range []string{"16", "2r"} {
			for _, rate := range []string{"0.001", "0.003"} {
				want = append(want, "target_modules="+target+" alpha="+alpha+" learning_rate="+rate)
			}
		}
	}
	if diff := cmp.Diff(want, candidates); diff != "" {
		t.Errorf("candidates (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]int{2, 3}, ranks(ladders[1])); diff != "" {
		t.Errorf("ranks (-want +got):\n%s", diff)
	}
	specs := ladders[1].Rungs[1].Specs()
	if s := specs[3]; len(specs) != 16 || s.Seed != 3 || s.Train.LearningRate != 3e-3 || s.LoRA.Alpha != 16 ||
		s.LoRA.Dropout != 0.1 || s.LoRA.Rank != 3 {
		t.Errorf("%d specs of rank 3, the fourth is %+v", len(specs), s)
	}
	if s := specs[6]; s.Seed != 5 || s.LoRA.Alpha != 6 || s.Train.LearningRate != 3e-3 {
		t.Errorf("the seventh is %+v", s)
	}
	other := parse(t, strings.Replace(string(readText(t, "testdata/grids/tune.yaml")), "[learning_rate, alpha]", "[alpha, learning_rate]", 1))
	if g := parse(t, string(readText(t, "testdata/grids/tune.yaml"))); g.Hash() != other.Hash() {
		t.Error("the order of train.tune makes another grid")
	}
}

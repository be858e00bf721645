package grid_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ranksweep/ranksweep/sweep/lora"
	"github.com/ranksweep/ranksweep/sweep/sweeptest"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

// withFull is a grid of these train settings whose ranks end in full.
func withFull(train string) string {
	return `model: builtin:gopher
data: {train: a.txt, validation: b.txt, sequence_length: 64}
lora: {rank: [1, 2, full], alpha: [16, 32], dropout: 0.1, target_modules: [c_attn], bias: lora_only}
train: {steps: 10, ` + train + `}
seeds: [1, 0]
`
}

// TestExpandReference: full makes no rung. It gives every ladder a reference, whose candidates are its learning rates.
func TestExpandReference(t *testing.T) {
	t.Parallel()
	for train, want := range map[string][]string{
		"learning_rate: 2e-4": {"0 2e-05 1", "0 2e-05 0"},
		"learning_rate: 2e-4, full_learning_rate: [1e-5, 1e-6]":                        {"0 1e-05 1", "0 1e-05 0", "1 1e-06 1", "1 1e-06 0"},
		"learning_rate: [2e-4, 1e-3], tune: [learning_rate]":                           {"0 2e-05 1", "0 2e-05 0", "1 0.0001 1", "1 0.0001 0"},
		"learning_rate: [2e-4, 1e-3], tune: [learning_rate], full_learning_rate: 1e-5": {"0 1e-05 1", "0 1e-05 0"},
	} {
		g := parse(t, withFull(train))
		ladders, _, err := g.Resolve("/grids").Expand(map[string]trial.ModelInfo{
			"builtin:gopher": {Modules: sweeptest.GPT2Modules(1, 8), Tensors: sweeptest.GPT2Tensors()},
		})
		if err != nil || len(ladders) != 2 {
			t.Fatalf("%s: %d ladders, %v; want one per alpha", train, len(ladders), err)
		}
		for _, l := range ladders {
			if diff := cmp.Diff([]int{1, 2}, ranks(l)); diff != "" {
				t.Errorf("%s: ranks (-want +got):\n%s", train, diff)
			}
			var got []string
			for _, p := range l.Reference {
				got = append(got, fmt.Sprintf("%d %g %d", p.Candidate, p.Trial.Spec().Train.LearningRate, p.Trial.Seed))
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s: candidate, learning rate, seed (-want +got):\n%s", train, diff)
			}
			full := lora.Spec{Full: true, TargetModules: lora.Targets{List: []string{"c_attn"}}, Bias: lora.BiasLoRAOnly}
			if diff := cmp.Diff(full, l.Reference[0].Trial.Spec().LoRA); diff != "" {
				t.Errorf("%s: LoRA settings (-want +got):\n%s", train, diff)
			}
		}
		one, other := ladders[0].On(trial.CorpusInfo{}, "", "b").Reference, ladders[1].On(trial.CorpusInfo{}, "", "b").Reference
		if diff := cmp.Diff(one, other); diff != "" || one[0].Trial.ID == "" {
			t.Errorf("%s: the ladders do not share their reference:\n%s", train, diff)
		}
	}
}

// TestReferenceNeedsItsTargets: the token embedding cannot train apart from the head that it is.
func TestReferenceNeedsItsTargets(t *testing.T) {
	t.Parallel()
	g := parse(t, strings.Replace(withFull("learning_rate: 1e-4"), "[c_attn]", "[wte]", 1))
	modules := append(sweeptest.GPT2Modules(1, 8), lora.Module{Name: "lm_head", In: 8, Out: 16, Head: true},
		lora.Module{Name: "transformer.wte", In: 16, Out: 8, Embedding: true})
	_, _, err := g.Resolve("/grids").Expand(map[string]trial.ModelInfo{
		"builtin:gopher": {Modules: modules, Tensors: sweeptest.GPT2Tensors()},
	})
	if err == nil || !strings.Contains(err.Error(), "g.yaml:3:") || !strings.Contains(err.Error(), "part the two; leave it out") {
		t.Errorf("Expand: %v", err)
	}
}

package report

import (
	"testing"

	"github.com/ranksweep/ranksweep/sweep/lora"
)

func TestServed(t *testing.T) {
	t.Parallel()
	merge := ": merge this one into the model (sweep export --merged)."
	for want, s := range map[string]lora.Spec{
		"Serve with vLLM --max-lora-rank 8.":                           {Rank: 4},
		"vLLM serves adapters up to rank 512, not 1024" + merge:        {Rank: 1024, UseDoRA: true},
		"vLLM serves no adapter with use_dora" + merge:                 {Rank: 4, UseDoRA: true},
		"vLLM serves no adapter with bias and modules_to_save" + merge: {Rank: 4, Bias: lora.BiasAll, ModulesToSave: []string{"wte"}},
	} {
		if got := Served(s.Serving(nil), "sweep export --merged"); got != want {
			t.Errorf("Served(%+v) = %q, want %q", s, got, want)
		}
	}
}

func TestServingTakesTheModelsModules(t *testing.T) {
	t.Parallel()
	s := fixture{name: "pattern", seeds: []int64{0, 1, 2}, ladders: []fixtureLadder{{rungs: measured(4.9, 4.8)}}}.snapshot()
	s.Ladders[0].Model.Modules = []lora.Module{{Name: "h.0.attn.c_attn"}, {Name: "h.1.attn.c_attn"}}
	for _, r := range s.Ladders[0].Rungs {
		for i := range r.Trials {
			r.Trials[i].Trial.Shared.Spec.LoRA.RankPattern = lora.Patterns{{Key: "1.attn.c_attn", Value: 40}, {Key: "c_fc", Value: 500}}
		}
	}
	got := Build(s).Recommendation.Serving
	if got.Rank != 40 || *got.MaxLoRARank != 64 || len(got.Unsupported) != 1 {
		t.Errorf("serving = %+v, want rank 40, max_lora_rank 64 and rank_pattern unsupported", got)
	}
}

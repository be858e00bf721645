package lora_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ranksweep/ranksweep/sweep/lora"
)

func TestServing(t *testing.T) {
	t.Parallel()
	targets := []lora.Module{{Name: "model.layers.0.self_attn.q_proj"}, {Name: "model.layers.0.self_attn.v_proj"}}
	for _, c := range []struct {
		name string
		spec lora.Spec
		rank int
		most int // 0 means none
		not  []string
	}{
		{"one", lora.Spec{Rank: 1}, 1, 1, nil},
		{"next larger", lora.Spec{Rank: 4}, 4, 8, nil},
		{"just above", lora.Spec{Rank: 9}, 9, 16, nil},
		{"equal", lora.Spec{Rank: 64}, 64, 64, nil},
		{"no power of two", lora.Spec{Rank: 300}, 300, 320, nil},
		{"largest", lora.Spec{Rank: 512, UseRSLoRA: true}, 512, 512, nil},
		{"too large", lora.Spec{Rank: 513}, 513, 0, nil},
		{"PiSSA, stored at twice the rank", lora.Spec{Rank: 8, Init: lora.InitPiSSA}, 16, 16, nil},
		{"DoRA with biases", lora.Spec{Rank: 4, UseDoRA: true, Bias: lora.BiasAll}, 4, 8, []string{"use_dora", "bias"}},
		{"saved modules", lora.Spec{Rank: 4, ModulesToSave: []string{"lm_head"}}, 4, 8, []string{"modules_to_save"}},
		{"larger module", lora.Spec{Rank: 4, RankPattern: lora.Patterns{{Key: "v_proj", Value: 12}}}, 12, 16, []string{"rank_pattern"}},
		{"only smaller modules", lora.Spec{Rank: 4, RankPattern: lora.Patterns{{Key: ".*_proj", Value: 2}}}, 2, 8, []string{"rank_pattern"}},
		{"pattern that matches nothing", lora.Spec{Rank: 4, RankPattern: lora.Patterns{{Key: "o_proj", Value: 99}}}, 4, 8, nil},
		{"other alpha", lora.Spec{Rank: 4, AlphaPattern: lora.Patterns{{Key: "q_proj", Value: 2}}}, 4, 8, []string{"alpha_pattern"}},
		{
			"larger module of equal scaling",
			lora.Spec{
				Rank: 4, RankPattern: lora.Patterns{{Key: "v_proj", Value: 12}}, AlphaPattern: lora.Patterns{{Key: "v_proj", Value: 48}},
			},
			12, 16, nil,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.spec.Alpha = 16
			want := lora.Serving{Rank: c.rank, Unsupported: append([]string{}, c.not...)}
			if c.most > 0 {
				want.MaxLoRARank = &c.most
			}
			got := c.spec.Serving(targets)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("Serving() (-want +got):\n%s", diff)
			}
			if served := c.most > 0 && len(c.not) == 0; got.Served() != served {
				t.Errorf("Served() = %t, want %t", got.Served(), served)
			}
		})
	}
}

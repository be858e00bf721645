package lora_test

import (
	"encoding/json"
	"os"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/ranksweep/ranksweep/sweep/lora"
	"github.com/ranksweep/ranksweep/sweep/sweeptest"
)

// TestMatchAsPEFT compares with what PEFT's own functions select and which ranks they give: see testdata/peft_match.py.
func TestMatchAsPEFT(t *testing.T) {
	t.Parallel()
	var table struct {
		Modules map[string][]string
		Cases   []struct {
			Modules           string
			TargetModules     lora.Targets  `json:"target_modules"`
			ExcludeModules    lora.Targets  `json:"exclude_modules"`
			LayersToTransform any           `json:"layers_to_transform"`
			LayersPattern     any           `json:"layers_pattern"`
			ModulesToSave     []string      `json:"modules_to_save"`
			RankPattern       lora.Patterns `json:"rank_pattern"`
			Want              map[string]int
		}
	}
	body, err := os.ReadFile("testdata/peft_match.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(body, &table); err != nil {
		t.Fatal(err)
	}
	for i, c := range table.Cases {
		l := lora.Spec{
			Rank: 1, TargetModules: c.TargetModules, ExcludeModules: c.ExcludeModules, ModulesToSave: c.ModulesToSave, RankPattern: c.RankPattern,
			LayersToTransform: list[int](t, c.LayersToTransform), LayersPattern: list[string](t, c.LayersPattern),
		}
		var modules []lora.Module
		for _, name := range table.Modules[c.Modules] {
			modules = append(modules, lora.Module{Name: name, In: 2, Out: 2})
		}
		matched, err := l.Match(modules)
		if err != nil && len(c.Want) > 0 {
			t.Errorf("case %d: Match(%+v): %v", i, l, err)
		}
		got := map[string]int{}
		for _, m := range matched {
			got[m.Name] = l.RankOf(m.Name)
		}
		if diff := cmp.Diff(c.Want, got); diff != "" {
			t.Errorf("case %d: Match(%+v): -PEFT +ours\n%s", i, l, diff)
		}
	}
}

// list reads what may be null, one value, or a list of them.
func list[T any](t *testing.T, v any) []T {
	t.Helper()
	if v == nil {
		return nil
	}
	body, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	var one T
	if json.Unmarshal(body, &one) == nil {
		return []T{one}
	}
	var many []T
	if err := json.Unmarshal(body, &many); err != nil {
		t.Fatal(err)
	}
	return many
}

// TestPatternsPlain: a plain key gives what the same key gives as an expression.
func TestPatternsPlain(t *testing.T) {
	t.Parallel()
	name := rapid.StringMatching(`[ab.]{1,6}`)
	rapid.Check(t, func(t *rapid.T) {
		module, key := name.Draw(t, "module"), name.Draw(t, "key")
		plain := lora.Spec{Rank: 1, RankPattern: lora.Patterns{{Key: key, Value: 2}}}
		expression := lora.Spec{Rank: 1, RankPattern: lora.Patterns{{Key: "(?:" + key + ")", Value: 2}}}
		if got, want := plain.RankOf(module), expression.RankOf(module); got != want {
			t.Fatalf("RankOf(%s) = %d with %s, %d with the expression", module, got, key, want)
		}
	})
}

// TestPatternsKeepTheirOrder: the first match wins, so the order must survive JSON.
func TestPatternsKeepTheirOrder(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		keys := rapid.SliceOfNDistinct(rapid.String(), 1, 8, rapid.ID).Draw(t, "keys")
		var want lora.Patterns
		for i, key := range keys {
			want = append(want, lora.Pattern{Key: string([]rune(key)), Value: float64(i) + 0.5})
		}
		body, err := json.Marshal(want)
		if err != nil {
			t.Fatal(err)
		}
		var got lora.Patterns
		if err := json.Unmarshal(body, &got); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("-want +got\n%s", diff)
		}
	})
}

func TestTrainables(t *testing.T) {
	t.Parallel()
	modules := []lora.Module{
		{Name: "transformer.wte", In: 10, Out: 4, Embedding: true},
		{Name: "transformer.h.0.attn.c_attn", In: 4, Out: 12, Conv1D: true},
		{Name: "transformer.h.0.mlp.c_fc", In: 4, Out: 16, Conv1D: true},
		{Name: "lm_head", In: 4, Out: 10, Head: true},
	}
	const h0 = "base_model.model.transformer.h.0."
	attention := []string{h0 + "attn.c_attn.lora_A.weight", h0 + "attn.c_attn.lora_B.weight"}
	for name, tt := range map[string]struct {
		lora lora.Spec
		want []string
		size int64
		err  string
	}{
		"plain": {lora: lora.Spec{}, want: attention, size: 2 * 16},
		"DoRA": {
			lora: lora.Spec{UseDoRA: true}, want: append(slices.Clone(attention), h0+"attn.c_attn.lora_magnitude_vector"),
			size: 2*16 + 12,
		},
		"lora_only": {
			lora: lora.Spec{Bias: lora.BiasLoRAOnly}, want: append(slices.Clone(attention), h0+"attn.c_attn.base_layer.bias"),
			size: 2*16 + 12,
		},
		"all": {
			lora: lora.Spec{Bias: lora.BiasAll},
			want: append(slices.Clone(attention), h0+"ln_1.bias", h0+"attn.c_attn.base_layer.bias", h0+"mlp.c_fc.bias"), size: 2*16 + 4 + 12 + 16,
		},
		"embedding and tied head": {
			lora: lora.Spec{TargetModules: lora.Targets{List: []string{"wte"}}, ModulesToSave: []string{"lm_head"}},
			want: []string{
				"base_model.model.transformer.wte.lora_embedding_A", "base_model.model.transformer.wte.lora_embedding_B",
				"base_model.model.lm_head.weight",
			},
			size: 2*14 + 40,
		},
		"a module with others below, its bias once": {
			lora: lora.Spec{Bias: lora.BiasAll, ModulesToSave: []string{"mlp"}},
			want: append(slices.Clone(attention), h0+"ln_1.bias", h0+"attn.c_attn.base_layer.bias", h0+"mlp.c_fc.weight", h0+"mlp.c_fc.bias"),
			size: 2*16 + 4 + 12 + 64 + 16,
		},
		"saved and targeted": {
			lora: lora.Spec{ModulesToSave: []string{"_attn"}},
			err: "modules_to_save: transformer.h.0.attn.c_attn is also a target of LoRA; write its whole last name, or take " +
				"transformer.h.0.attn.c_attn out of the targets",
		},
		"saved twice": {
			lora: lora.Spec{ModulesToSave: []string{"mlp", "c_fc"}},
			err:  "modules_to_save: transformer.h.0.mlp.c_fc lies within transformer.h.0.mlp; name one of the two",
		},
		"saved nothing": {
			lora: lora.Spec{ModulesToSave: []string{"nothing"}},
			err:  "modules_to_save: nothing is the end of no module's name; there are transformer.wte, ln_1, attn.c_attn, mlp.c_fc, lm_head",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := tt.lora
			l.Rank = 2
			if l.TargetModules.List == nil {
				l.TargetModules.List = []string{"c_attn"}
			}
			targets, err := l.Match(modules)
			if err != nil {
				t.Fatal(err)
			}
			all, err := l.Trainables(targets, modules, sweeptest.GPT2Tensors())
			if err != nil || tt.err != "" {
				if err == nil || err.Error() != tt.err {
					t.Fatalf("Trainables = %v, want %s", err, tt.err)
				}
				return
			}
			var keys []string
			for _, v := range all {
				keys = append(keys, v.Key)
			}
			if diff := cmp.Diff(tt.want, keys); diff != "" {
				t.Errorf("Trainables: -want +got\n%s", diff)
			}
			if n, err := l.TrainableParams(modules, sweeptest.GPT2Tensors()); err != nil || n != tt.size {
				t.Errorf("TrainableParams = %d, %v, want %d", n, err, tt.size)
			}
		})
	}
}

func TestScalingOf(t *testing.T) {
	t.Parallel()
	l := lora.Spec{
		Rank: 4, Alpha: 8, RankPattern: lora.Patterns{{Key: "a", Value: 16}}, AlphaPattern: lora.Patterns{{Key: "b", Value: 2}},
	}
	for module, want := range map[string]float64{"x.c": 2, "x.a": 0.5, "x.b": 0.5, "ba": 2} {
		if got := l.ScalingOf(module); got != want {
			t.Errorf("ScalingOf(%s) = %g, want %g", module, got, want)
		}
	}
	l.UseRSLoRA = true
	if got := l.ScalingOf("a"); got != 2 {
		t.Errorf("ScalingOf(a) with rsLoRA = %g, want 2", got)
	}
}

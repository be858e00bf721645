package lora_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ranksweep/ranksweep/sweep/lora"
	"github.com/ranksweep/ranksweep/sweep/sweeptest"
)

// TestFullTrainables: a target that trains in full is its weight, beside the biases and modules that train anyway.
func TestFullTrainables(t *testing.T) {
	t.Parallel()
	modules, tensors := sweeptest.GPT2Modules(1, 4), sweeptest.GPT2Tensors()
	adapter := lora.Spec{
		Rank: 2, Alpha: 4, Dropout: 0.1, TargetModules: lora.Targets{List: []string{"c_attn"}}, UseDoRA: true, Init: lora.InitKaiming,
		Bias: lora.BiasLoRAOnly, ModulesToSave: []string{"ln_1"}, LoRAPlusLRRatio: 16,
	}
	full := adapter.Whole()
	targets, err := full.Match(modules)
	if err != nil {
		t.Fatal(err)
	}
	all, err := full.Trainables(targets, modules, tensors)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, tr := range all {
		got = append(got, string(tr.Role)+" "+tr.Key)
	}
	const h = lora.AdapterPrefix + "transformer.h.0."
	want := []string{
		"saved " + h + "attn.c_attn.weight", "bias " + h + "attn.c_attn.bias", "saved " + h + "ln_1.weight", "saved " + h + "ln_1.bias",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("trainables (-want +got):\n%s", diff)
	}
	if n, err := full.TrainableParams(modules, tensors); err != nil || n != 4*12+12+4+4 {
		t.Errorf("%d parameters, %v", n, err)
	}
	if err := full.Validate(); err != nil {
		t.Errorf("Validate: %v", err)
	}
	for name, change := range map[string]func(*lora.Spec){
		"a rank": func(l *lora.Spec) { l.Rank = 1 },
		"alpha":  func(l *lora.Spec) { l.Alpha = 1 }, "dropout": func(l *lora.Spec) { l.Dropout = 0.1 },
		"DoRA": func(l *lora.Spec) { l.UseDoRA = true }, "PiSSA": func(l *lora.Spec) { l.Init = lora.InitPiSSA },
		"a start": func(l *lora.Spec) { l.InitAdapter = "a" }, "LoRA+": func(l *lora.Spec) { l.LoRAPlusLRRatio = 2 },
	} {
		bad := full
		change(&bad)
		if err := bad.Validate(); err == nil || !strings.Contains(err.Error(), "leave them out") {
			t.Errorf("with %s: %v", name, err)
		}
	}
	if text, err := json.Marshal(adapter); err != nil || strings.Contains(string(text), "full") {
		t.Errorf("the JSON of an adapter's spec names full: %s, %v", text, err)
	}
}

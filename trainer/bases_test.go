package trainer_test

import (
	"encoding/json"
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ranksweep/ranksweep/sweep/trial"
	"github.com/ranksweep/ranksweep/trainer"
	"github.com/ranksweep/ranksweep/trainer/backend"
	"github.com/ranksweep/ranksweep/trainer/weights"
)

// bases holds models and adapters that testdata/bases.py made, with the losses that transformers and PEFT compute.
const bases = "testdata/bases"

// evaluateBase scores a base of bases, or an adapter named base+what.
func evaluateBase(t *testing.T, c backend.Choice, name string) (trainer.Evaluation, error) {
	t.Helper()
	model, _, isAdapter := strings.Cut(name, "+")
	info, err := trainer.Inspect(t.Context(), filepath.Join(bases, model), trainer.InspectOptions{})
	must(t, err)
	o := trainer.EvaluateOptions{Model: info, Data: []string{filepath.Join(bases, "rows.jsonl")}, BatchSize: 4, Backend: c}
	if isAdapter {
		o.Adapter = filepath.Join(bases, name)
	}
	return trainer.Evaluate(t.Context(), o)
}

// TestAsTransformersAndPEFTLoad: heads that are tied, parted or stored alone, and whatever PEFT stores beside LoRA.
func TestAsTransformersAndPEFTLoad(t *testing.T) {
	t.Parallel()
	c := resolve(t, backend.PlatformGo)
	text, err := os.ReadFile(filepath.Join(bases, "expected.json"))
	must(t, err)
	var expected map[string]float64
	must(t, json.Unmarshal(text, &expected))
	refused := map[string]string{
		"tied+ensure-tying-tokens": "sets ensure_weight_tying and adapts lm_head, which the model ties",
		"tied+ensure-tying-saved":  "sets ensure_weight_tying and adapts lm_head, which the model ties",
		"tied+saved-differing":     "it was trained on a model whose output head is not tied",
	}
	warned := map[string]string{
		"untied+missing-layer": "the adapter has no tensors for 2 of the 4 modules that its target_modules select, which stay as the base has " +
			"them: model.layers.1.self_attn.q_proj, model.layers.1.self_attn.v_proj",
	}
	for name, want := range expected {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := evaluateBase(t, c, name)
			if reason, ok := refused[name]; ok {
				if !errors.Is(err, trial.ErrInput) || !strings.Contains(err.Error(), reason) {
					t.Errorf("Evaluate = %v, want %q", err, reason)
				}
				return
			}
			must(t, err)
			if math.Abs(got.Loss-want) > 2e-6 { // float32 logits, summed in another order
				t.Errorf("loss %.8f, want %.8f", got.Loss, want)
			}
			if warning := strings.Join(got.Warnings, "; "); warning != warned[name] {
				t.Errorf("warnings %q, want %q", warning, warned[name])
			}
		})
	}
}

// TestOwnHeadIsAnotherModel: memory is counted with the head, and what was trained without it is not used again.
func TestOwnHeadIsAnotherModel(t *testing.T) {
	t.Parallel()
	tied, err := trainer.Inspect(t.Context(), bases+"/tied", trainer.InspectOptions{})
	must(t, err)
	for _, o := range []trainer.InspectOptions{{}, {WithoutWeights: true}} {
		own, err := trainer.Inspect(t.Context(), bases+"/tied-own-head", o)
		must(t, err)
		if own.Params != tied.Params+64*16 || own.Tensors[len(own.Tensors)-1].Name != "lm_head.weight" {
			t.Errorf("%d parameters with %v, want %d and lm_head.weight", own.Params, own.Tensors[len(own.Tensors)-1], tied.Params+64*16)
		}
		equal, err := trainer.Inspect(t.Context(), bases+"/tied-equal-head", o)
		must(t, err)
		if equal.Params != tied.Params {
			t.Errorf("an equal head: %d parameters, want %d", equal.Params, tied.Params)
		}
	}
}

// TestMergedOwnHeadIsSaid: the merged model computes what base and adapter do, and its config.json says that the head is not tied.
func TestMergedOwnHeadIsSaid(t *testing.T) {
	t.Parallel()
	c := resolve(t, backend.PlatformGo)
	for _, name := range []string{
		"tied-own-head+qv", "tied-own-head+lm-head", "tied+saved-head", "tied+lm-head-base", "untied+saved-embeddings", "untied+missing-layer",
	} {
		base, _, _ := strings.Cut(name, "+")
		info, err := trainer.Inspect(t.Context(), filepath.Join(bases, base), trainer.InspectOptions{})
		must(t, err)
		dir := t.TempDir()
		must(t, trainer.ExportMerged(t.Context(), dir, trainer.ExportOptions{Model: info, Adapter: filepath.Join(bases, name)}, ""))
		var config struct {
			Tied bool `json:"tie_word_embeddings"`
		}
		text, err := os.ReadFile(filepath.Join(dir, weights.ConfigFile))
		must(t, err)
		must(t, json.Unmarshal(text, &config))
		tensors, err := weights.ReadFile(filepath.Join(dir, weights.ModelFile))
		must(t, err)
		if _, own := tensors["lm_head.weight"]; config.Tied == own {
			t.Errorf("%s: tie_word_embeddings is %t, and a head of its own is there: %t", name, config.Tied, own)
		}
		merged, err := trainer.Inspect(t.Context(), dir, trainer.InspectOptions{})
		must(t, err)
		got, err := trainer.Evaluate(t.Context(), trainer.EvaluateOptions{
			Model: merged, Data: []string{filepath.Join(bases, "rows.jsonl")}, BatchSize: 4, Backend: c,
		})
		must(t, err)
		want, err := evaluateBase(t, c, name)
		must(t, err)
		if math.Abs(got.Loss-want.Loss) > 2e-6 { // float32, merged before it is multiplied
			t.Errorf("%s: merged loss %.8f, want %.8f", name, got.Loss, want.Loss)
		}
	}
}

// TestUnexpectedTensors: what PEFT would leave out of an adapter is an error here.
func TestUnexpectedTensors(t *testing.T) {
	t.Parallel()
	c := resolve(t, backend.PlatformGo)
	info, err := trainer.Inspect(t.Context(), bases+"/untied", trainer.InspectOptions{})
	must(t, err)
	const key = "base_model.model.model.layers.0.self_attn.q_proj"
	for name, tt := range map[string]struct {
		targets []string
		key     string
		shape   []int
		want    string
	}{
		"a module not selected": {[]string{"v_proj"}, "", nil, "q_proj.lora_A.weight is of a module that its target_modules [v_proj] do not"},
		"none selected":         {[]string{"c_attn"}, "", nil, "target_modules [c_attn] match no module of the model"},
		"unknown":               {nil, "base_model.model.model.norm.scale.weight", []int{16}, "norm.scale.weight is neither of LoRA nor of"},
		"another form of LoRA":  {nil, key + ".lora_E.weight", []int{2}, "lora_E.weight is neither of LoRA"},
		"below a target":        {nil, key + ".weight", []int{16, 16}, "q_proj.weight is neither of LoRA nor of the model"},
		"base of no target":     {nil, "base_model.model.lm_head.base_layer.weight", []int{64, 16}, "base_layer.weight is neither"},
		"a resized vocabulary":  {nil, "base_model.model.lm_head.weight", []int{65, 16}, "has shape [65 16], the model's [64 16]: was"},
		"without PEFT's prefix": {nil, "lm_head.weight", []int{64, 16}, "lm_head.weight is neither of LoRA"},
		"a layer beyond": {
			nil, strings.Replace(key, "layers.0", "layers.7", 1) + ".lora_A.weight",
			[]int{2, 16},
			"has only one of lora_A",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a, err := weights.ReadAdapter(bases + "/untied+ensure-tying")
			must(t, err)
			dir := t.TempDir()
			if tt.targets != nil {
				a.Config.TargetModules.List = tt.targets
			} else {
				n := 1
				for _, d := range tt.shape {
					n *= d
				}
				a.Tensors[tt.key] = weights.Array{Shape: tt.shape, Data: make([]float32, n)}
			}
			text, err := json.Marshal(a.Config)
			must(t, err)
			must(t, os.WriteFile(filepath.Join(dir, weights.AdapterConfigFile), text, 0o600))
			must(t, weights.WriteFile(filepath.Join(dir, weights.AdapterWeightsFile), a.Tensors, weights.F32, nil))
			_, err = trainer.Evaluate(t.Context(), trainer.EvaluateOptions{
				Model: info, Adapter: dir, Data: []string{bases + "/rows.jsonl"}, BatchSize: 4, Backend: c,
			})
			if !errors.Is(err, trial.ErrInput) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Evaluate = %v, want %q", err, tt.want)
			}
		})
	}
}

// TestStartFromIncompleteAdapter: what validate and run say of lora.init_adapter.
func TestStartFromIncompleteAdapter(t *testing.T) {
	t.Parallel()
	info, err := trainer.Inspect(t.Context(), bases+"/untied", trainer.InspectOptions{WithoutWeights: true})
	must(t, err)
	l := tinySpec().LoRA
	l.TargetModules.List, l.InitAdapter = []string{"q_proj", "v_proj"}, bases+"/untied+missing-layer"
	warnings, err := trainer.CheckStart(info, l)
	must(t, err)
	if !slices.ContainsFunc(warnings, func(w string) bool {
		return strings.Contains(w, "lora.init_adapter "+l.InitAdapter+": the adapter has no tensors for 2 of the 4 modules")
	}) {
		t.Errorf("warnings %q", warnings)
	}
}

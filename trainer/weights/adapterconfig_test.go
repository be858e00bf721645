package weights

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// peftLists are what testdata/lora_fields.py says of PEFT.
type peftLists struct {
	Keys  []string `json:"keys"`  // of LoRA's adapter_config.json
	Types []string `json:"types"` // of adapters
}

func readPEFT(t *testing.T) peftLists {
	t.Helper()
	text, err := os.ReadFile("testdata/lora_fields.json")
	if err != nil {
		t.Fatal(err)
	}
	var lists peftLists
	if err := json.Unmarshal(text, &lists); err != nil {
		t.Fatal(err)
	}
	return lists
}

// setValues are values that say something, as PEFT would write them; "x" for those not listed.
func setValue(key string) string {
	values := map[string]string{
		"peft_type": `"LORA"`, "r": "4", "lora_alpha": "3", "use_rslora": "true", "use_dora": "true", "bias": `"all"`,
		"target_modules": `["q_proj"]`, "exclude_modules": `["k_proj"]`, "layers_to_transform": "[1]", "layers_pattern": `["h"]`,
		"rank_pattern": `{"a": 2}`, "alpha_pattern": `{"a": 2}`, "modules_to_save": `["lm_head"]`, "lora_dropout": "0.1",
		"init_lora_weights": `"gaussian"`, "ensure_weight_tying": "true", "inference_mode": "true", "fan_in_fan_out": "true",
		"eva_config": `{"rho": 2}`, "loftq_config": `{"loftq_bits": 4}`, "qalora_group_size": "32", "lora_bias": "true",
		"use_qalora": "true", "layer_replication": "[[0, 2], [1, 3]]", "target_parameters": `["experts.gate_up_proj"]`,
		"trainable_token_indices": `{"embed_tokens": [5]}`, "alora_invocation_tokens": "[1, 2]", "use_bdlora": `{"nblocks": 2}`,
	}
	if v, ok := values[key]; ok {
		return v
	}
	return `"x"`
}

// TestEverySettingOfPEFT: each of them is honoured, harmless or refused; what this package writes and what it knows are the same.
func TestEverySettingOfPEFT(t *testing.T) {
	t.Parallel()
	var written []string
	for field := range reflect.TypeFor[AdapterConfig]().Fields() {
		written = append(written, field.Tag.Get("json"))
	}
	slices.Sort(written)
	keys := readPEFT(t).Keys
	if diff := cmp.Diff(keys, written); diff != "" {
		t.Errorf("-PEFT +AdapterConfig\n%s", diff)
	}
	if n := len(settingUses()); n != len(keys) {
		t.Errorf("settingUses has %d keys, PEFT %d", n, len(keys))
	}
	const plain = `"peft_type":"LORA","r":4,"lora_alpha":8,"target_modules":["q_proj"],"bias":"none"`
	none, err := parseAdapterConfig([]byte("{" + plain + "}"))
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range keys {
		more := ""
		if key == "layers_pattern" {
			more = `,"layers_to_transform":[1]`
		}
		c, err := parseAdapterConfig([]byte(`{` + plain + more + `,"` + key + `":` + setValue(key) + `}`))
		switch use := settingUses()[key]; {
		case use == refused && (err == nil || !strings.Contains(err.Error(), "sets "+key+", which is not supported")):
			t.Errorf("%s: %v, want it refused by name", key, err)
		case use != refused && err != nil:
			t.Errorf("%s: %v", key, err)
		case use == harmless && !cmp.Equal(c.Spec(), none.Spec()):
			t.Errorf("%s is said to be harmless: %s", key, cmp.Diff(none.Spec(), c.Spec()))
		case use == 0:
			t.Errorf("%s: nothing is said of it", key)
		}
	}
}

// TestAdaptersOfOtherKinds: they are named, whatever their settings are.
func TestAdaptersOfOtherKinds(t *testing.T) {
	t.Parallel()
	for _, kind := range append(readPEFT(t).Types, "NEW_KIND") {
		_, err := parseAdapterConfig([]byte(`{"peft_type":"` + kind + `","r":"eight","target_modules":{"a":1}}`))
		if kind == "LORA" {
			continue
		}
		if !errors.Is(err, ErrFormat) || !strings.Contains(err.Error(), "it is an adapter of the kind "+kind+" (peft_type)") {
			t.Errorf("%s: %v", kind, err)
		}
	}
	if _, err := parseAdapterConfig([]byte(`{"r": 8}`)); err == nil || !strings.Contains(err.Error(), "it has no peft_type") {
		t.Errorf("no peft_type: %v", err)
	}
}

// TestPickledAdapter: a pickle is named, and not opened.
func TestPickledAdapter(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, text := range map[string]string{
		AdapterConfigFile: `{"peft_type":"LORA","r":4,"lora_alpha":8,"target_modules":["q_proj"]}`, "adapter_model.bin": "no pickle at all",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	_, err := ReadAdapter(dir)
	if !errors.Is(err, ErrFormat) || !strings.Contains(err.Error(), "it has adapter_model.bin but no adapter_model.safetensors; convert it") {
		t.Errorf("ReadAdapter = %v, want it to say how to convert it", err)
	}
}

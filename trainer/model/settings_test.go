package model

import (
	"encoding/json"
	"maps"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// What becomes of a setting of config.json.
type settingUse int

const (
	honoured settingUse = iota + 1 // another value gives another Config
	harmless                       // the Config stays the same: it cannot change a loss
	refused                        // by name
)

// settingCase is a value that is not the default, and what becomes of it. Some keys differ between architectures.
type settingCase struct {
	value string
	use   settingUse
	in    map[string]settingUse // where an architecture differs
}

// settingCases has a row for every key that transformers' configurations have or their modelling code reads, but for those of
// ownSettings.
func settingCases() map[string]settingCase {
	cases := map[string]settingCase{
		"vocab_size": {"77", honoured, nil}, "hidden_size": {"384", honoured, nil}, "num_hidden_layers": {"3", honoured, nil},
		"num_attention_heads": {"64", honoured, nil}, "max_position_embeddings": {"99", honoured, nil},
		"tie_word_embeddings": {"true", honoured, map[string]settingUse{"gpt2": harmless}}, // its standard
		"head_dim":            {"64", honoured, map[string]settingUse{"gpt2": harmless}},   // GPT-2 does not read it
		"rope_parameters":     {`{"rope_theta": 5e5}`, honoured, map[string]settingUse{"gpt2": harmless}},
		"sliding_window":      {"16", harmless, map[string]settingUse{"mistral": honoured}}, // Qwen reads it with use_sliding_window
		"is_causal":           {"false", refused, nil}, "is_encoder_decoder": {"true", refused, nil},
		"per_layer_config": {`{"0": {"hidden_size": 8}}`, refused, nil}, "model_type": {"", harmless, nil},
		"intermediate_size": {"96", honoured, nil}, "hidden_act": {`"gelu"`, honoured, nil}, "rms_norm_eps": {"1e-5", honoured, nil},
		"num_key_value_heads": {"4", honoured, nil}, "mlp_bias": {"true", honoured, nil},
		"attention_bias":     {"true", honoured, nil},
		"use_sliding_window": {"true", harmless, map[string]settingUse{"qwen2": honoured, "qwen3": honoured}},
		// GPT-2's own
		"n_embd": {"24", honoured, nil}, "n_head": {"6", honoured, nil}, "n_inner": {"9", honoured, nil}, "n_layer": {"3", honoured, nil},
		"n_positions": {"9", honoured, nil}, "activation_function": {`"relu"`, honoured, nil}, "layer_norm_epsilon": {"1e-6", honoured, nil},
		"scale_attn_weights": {"false", honoured, nil}, "scale_attn_by_inverse_layer_idx": {"true", honoured, nil},
		"add_cross_attention": {"true", refused, nil},
		// The base's own dropout is off here, and torch_dtype yields to train.dtype.
		"attn_pdrop": {"0.5", harmless, nil}, "embd_pdrop": {"0.5", harmless, nil}, "resid_pdrop": {"0.5", harmless, nil},
		"attention_dropout": {"0.5", harmless, nil}, "dtype": {`"bfloat16"`, harmless, nil},
		// Rounding alone.
		"reorder_and_upcast_attn": {"true", harmless, nil}, "pretraining_tp": {"2", harmless, nil},
		// Read only with settings that are refused, or by other architectures' code in the same file.
		"max_window_layers": {"1", harmless, nil}, "attention_chunk_size": {"8", harmless, nil},
		"layer_types": {`["full_attention"]`, harmless, nil}, "default_theta": {"5.0", harmless, nil}, "json": {"1", harmless, nil},
	}
	for _, key := range []string{ // names, initial values, generation, classifiers, what a call returns
		"_name_or_path", "architectures", "transformers_version", "initializer_range", "bos_token_id", "eos_token_id", "pad_token_id",
		"use_cache", "id2label", "label2id", "problem_type", "num_labels", "classifier_dropout", "hidden_dropout",
		"chunk_size_feed_forward", "output_attentions", "output_hidden_states", "return_dict", "summary_activation",
		"summary_first_dropout", "summary_last_dropout", "summary_proj_to_labels", "summary_type", "summary_use_proj",
	} {
		cases[key] = settingCase{"1", harmless, nil}
	}
	return cases
}

// ownSettings are keys that one architecture has alone, or whose standard or meaning is another there.
func ownSettings() map[string]map[string]settingCase {
	untie, others := settingCase{"false", honoured, nil}, settingCase{"8", honoured, nil}
	window, eps := settingCase{"16", honoured, nil}, settingCase{"1e-3", honoured, nil}
	noRope := settingCase{`{"rope_theta": 5e5}`, harmless, nil}
	otherLength := settingCase{`["full_attention"]`, refused, nil} // for another number of layers
	untyped := settingCase{`["full_attention"]`, honoured, nil}    // no layer has a window
	gemma := map[string]settingCase{
		"attn_logit_softcapping": {"7.0", honoured, nil}, "final_logit_softcapping": {"7.0", honoured, nil},
		"hidden_activation": {`"gelu"`, honoured, nil}, "query_pre_attn_scalar": {"99", honoured, nil},
		"use_bidirectional_attention": {"true", refused, nil}, "layer_types": otherLength, "num_key_value_heads": {"8", honoured, nil},
		"num_attention_heads": {"16", honoured, nil}, "sliding_window": window, "tie_word_embeddings": untie,
	}
	gemma3 := maps.Clone(gemma)
	maps.Copy(gemma3, map[string]settingCase{
		"attn_logit_softcapping":  {"7.0", harmless, nil}, // its attention does not read it
		"rope_parameters":         {`{"full_attention": {"rope_theta": 5e5}}`, honoured, nil},
		"_sliding_window_pattern": {"2", harmless, nil}, // read without the underscore
		// Of the model with images, in the same file.
		"image_token_id": {"1", harmless, nil}, "mm_tokens_per_image": {"1", harmless, nil},
		"text_config": {"{}", harmless, nil}, "vision_config": {"{}", harmless, nil},
	})
	return map[string]map[string]settingCase{
		"mistral": {"layer_types": otherLength},
		"gemma2":  gemma, "gemma3_text": gemma3,
		"phi3": {
			"rms_norm_eps": eps, "sliding_window": window,
			"original_max_position_embeddings": {"99", harmless, nil}, // until rope_scaling says longrope
		},
		"smollm3": {
			"layer_types": untyped, "no_rope_layer_interval": {"3", honoured, nil}, "no_rope_layers": {"[1]", refused, nil},
			"num_key_value_heads": others, "sliding_window": window, // kept, and used with use_sliding_window
			"tie_word_embeddings": untie, "use_sliding_window": {"true", honoured, nil},
		},
		"olmo2": {"rms_norm_eps": eps},
		"granite": {
			"attention_multiplier": {"0.5", honoured, nil}, "embedding_multiplier": {"3.0", honoured, nil},
			"logits_scaling": {"2.0", honoured, nil}, "residual_multiplier": {"0.5", honoured, nil},
		},
		"gpt_neox": {
			"attention_bias": untie, "head_dim": {"64", harmless, nil}, "hidden_act": {`"relu"`, honoured, nil},
			"hidden_size": {"3072", honoured, nil}, "num_attention_heads": {"32", honoured, nil}, "is_decoder": {"true", harmless, nil},
			"layer_norm_eps": eps, "use_parallel_residual": untie,
		},
		"opt": {
			"_remove_final_layer_norm": {"true", honoured, nil}, "activation_function": {`"gelu"`, honoured, nil},
			"do_layer_norm_before": untie, "dropout": {"0.5", harmless, nil}, "enable_bias": {"false", honoured, nil},
			"ffn_dim": {"99", honoured, nil}, "head_dim": {"64", harmless, nil}, "init_std": {"1.0", harmless, nil},
			"layer_norm_elementwise_affine": {"false", refused, nil}, "layerdrop": {"0.5", harmless, nil}, "rope_parameters": noRope,
			"tie_word_embeddings": untie, "word_embed_proj_dim": {"64", honoured, nil},
		},
	}
}

// TestEverySettingOfTransformers: no key that transformers reads is passed over without a word here.
func TestEverySettingOfTransformers(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("testdata/config_fields.json")
	must(t, err)
	var fields map[string][]string
	must(t, json.Unmarshal(text, &fields))
	for kind, keys := range fields {
		plain, err := ParseConfig([]byte(`{"model_type": "` + kind + `"}`))
		must(t, err)
		for _, key := range keys {
			c, known := ownSettings()[kind][key]
			if !known {
				c, known = settingCases()[key]
			}
			if !known {
				t.Errorf("%s: nothing is said of %s", kind, key)
				continue
			}
			if c.value == "" {
				continue
			}
			want := c.use
			if use, differs := c.in[kind]; differs {
				want = use
			}
			got, err := ParseConfig([]byte(`{"model_type": "` + kind + `", "` + key + `": ` + c.value + `}`))
			same := cmp.Equal(got, plain)
			switch {
			case want == refused && (err == nil || !strings.Contains(err.Error(), key)):
				t.Errorf("%s: %s: %v, want it refused by name", kind, key, err)
			case want != refused && err != nil:
				t.Errorf("%s: %s: %v", kind, key, err)
			case want == honoured && same:
				t.Errorf("%s: %s changes nothing", kind, key)
			case want == harmless && !same:
				t.Errorf("%s: %s is said to be harmless: %s", kind, key, cmp.Diff(plain, got))
			}
		}
	}
}

func TestParseConfigAsTransformers(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"llama", "mistral", "qwen2", "qwen3"} {
		c, err := ParseConfig([]byte(`{"model_type": "` + kind + `", "num_attention_heads": 64, "num_key_value_heads": null}`))
		must(t, err)
		if c.KVHeads != 64 {
			t.Errorf("%s: null gives %d key and value heads, want those of the queries", kind, c.KVHeads)
		}
	}
	for text, want := range map[string]string{
		`"rope_parameters": {"full_attention": {"rope_theta": 5e5}}`: "rope_parameters of each layer type are not supported",
		`"is_causal": false`: "is_causal is false: tokens then see the tokens after them",
	} {
		if _, err := ParseConfig([]byte(`{"model_type": "llama", ` + text + `}`)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
	for _, silent := range []string{`"rope_parameters": {"rope_theta": 5e5}, "rope_scaling": null`, `"is_causal": true`} {
		_, err := ParseConfig([]byte(`{"model_type": "llama", ` + silent + `}`))
		must(t, err)
	}
}

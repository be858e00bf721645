package model

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ranksweep/ranksweep/sweep/lora"
)

func TestParseConfig(t *testing.T) {
	t.Parallel()
	want := Config{
		Architecture: "gpt2", VocabSize: 512, Positions: 128, Embed: 64, Layers: 2, Heads: 4, KVHeads: 4, HeadDim: 16, Inner: 256,
		Activation: "gelu_new", Epsilon: 1e-5, TieHead: true, ScaleScores: true,
	}
	for _, file := range []string{"config.json", "config_v4style.json", "noprefix/config.json"} {
		if diff := cmp.Diff(want, readConfig(t, tiny+"/"+file)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", file, diff)
		}
	}
	small, err := ParseConfig([]byte(`{"model_type": "gpt2"}`)) // transformers' defaults are GPT-2 small
	must(t, err)
	if n := small.Params(); n != 124_439_808 {
		t.Errorf("GPT-2 small has %d parameters, want 124439808", n)
	}
}

func TestParseConfigRefuses(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, json, want string }{
		{"not JSON", `{`, "config.json: unexpected end"},
		{
			"another type", `{"model_type": "bert"}`,
			`model_type is "bert", which cannot be trained; those that can are gemma2, gemma3_text, gpt2, gpt_neox, granite, ` +
				`llama, mistral, olmo2, opt, phi3, qwen2, qwen3, smollm3`,
		},
		{"no type", `{}`, `model_type is ""`},
		{
			"activation", `{"model_type": "gpt2", "activation_function": "swish"}`,
			`activation_function (hidden_act) "swish" is not supported, want one of [gelu_new`,
		},
		{"cross attention", `{"model_type": "gpt2", "add_cross_attention": true}`, "add_cross_attention"},
		{"heads", `{"model_type": "gpt2", "n_embd": 10, "n_head": 3}`, "n_embd 10 is not a multiple of n_head 3"},
		{"zero", `{"model_type": "gpt2", "n_layer": 0}`, "n_layer (num_hidden_layers) is 0"},
		{
			"bottomless", `{"model_type": "gpt2", "n_layer": 16000000}`,
			"n_layer (num_hidden_layers) is 16000000, want a positive number up to 4096",
		},
		{"epsilon", `{"model_type": "gpt2", "layer_norm_epsilon": 0}`, "layer_norm_epsilon (rms_norm_eps) is 0"},
		{
			"llama heads", `{"model_type": "llama", "hidden_size": 10, "num_attention_heads": 4}`,
			"hidden_size 10 is not a multiple of num_attention_heads 4",
		},
		{"groups", `{"model_type": "llama", "num_key_value_heads": 5}`, "num_attention_heads 32 is not a multiple of num_key_value_heads 5"},
		{"odd head", `{"model_type": "llama", "head_dim": 7}`, "head_dim is 7, want an even number"},
		{
			"rope type", `{"model_type": "llama", "rope_scaling": {"type": "ntk", "factor": 4}}`,
			`rope_scaling: rope_type "ntk" is not supported, want default, linear, dynamic, llama3, yarn, longrope`,
		},
		{"rope factor", `{"model_type": "llama", "rope_parameters": {"rope_type": "linear"}}`, "rope_parameters: factor is 0"},
		{"rope range", `{"model_type": "llama", "rope_scaling": {"rope_type": "llama3", "factor": 8}}`, "want 0 < low < high"},
		{"theta", `{"model_type": "llama", "rope_theta": -1}`, "rope_theta is -1"},
		{"partial", `{"model_type": "llama", "partial_rotary_factor": 0.5}`, "partial_rotary_factor is not supported"},
		{"window", `{"model_type": "mistral", "sliding_window": "wide"}`, "sliding_window is -1"},
		{"llama's window", `{"model_type": "llama", "use_sliding_window": true}`, "use_sliding_window is not supported"},
		{"layer types", `{"model_type": "mistral", "layer_types": ["full_attention", "linear_attention"]}`, `layer 1 is "linear_attention"`},
		{"too few layer types", `{"model_type": "mistral", "layer_types": ["full_attention"]}`, "layer_types has 1 entries for 32 layers"},
		{"no window", `{"model_type": "qwen2", "layer_types": ["sliding_attention"]}`, "there is no sliding_window"},
		{"neox heads", `{"model_type": "gpt_neox", "num_attention_heads": 5}`, "hidden_size 6144 is not a multiple of num_attention_heads 5"},
		{"neox share", `{"model_type": "gpt_neox", "rotary_pct": 0.01}`, "partial_rotary_factor (rotary_pct) 0.01 of head_dim 96 is 0"},
		{"opt norms", `{"model_type": "opt", "layer_norm_elementwise_affine": false}`, "layer_norm_elementwise_affine false is not supported"},
		{"opt width", `{"model_type": "opt", "word_embed_proj_dim": -1}`, "word_embed_proj_dim is -1"},
		{"images", `{"model_type": "gemma3"}`, "only its text part can be trained"},
		{"not causal", `{"model_type": "llama", "is_causal": false}`, "is_causal is false"},
		{"layers apart", `{"model_type": "llama", "per_layer_config": {"0": {"head_dim": 8}}}`, "its layers differ from one another"},
		{"nested positions", `{"model_type": "llama", "rope_parameters": {"full_attention": {"rope_theta": 5}}}`, "of each layer type"},
		{
			"longrope", `{"model_type": "llama", "head_dim": 8, "rope_scaling": {"type": "longrope", "short_factor": [1]}}`,
			"short_factor has 1 numbers",
		},
		{
			"longrope's numbers", `{"model_type": "llama", "head_dim": 2, "rope_scaling": {"type": "longrope", "short_factor": [0]}}`,
			"short_factor: want positive numbers",
		},
		{"yarn's length", `{"model_type": "llama", "rope_scaling": {"type": "yarn", "original_max_position_embeddings": 0}}`, "factor is +Inf"},
		{"yarn's scale", `{"model_type": "llama", "rope_scaling": {"type": "yarn", "factor": 2, "attention_factor": 0}}`, "attention_factor"},
		{"yarn's theta", `{"model_type": "llama", "rope_theta": 1, "rope_scaling": {"type": "yarn", "factor": 2}}`, "a theta above 1"},
		{"gemma both ways", `{"model_type": "gemma2", "use_bidirectional_attention": true}`, "use_bidirectional_attention is not supported"},
		{"gemma cap", `{"model_type": "gemma2", "final_logit_softcapping": 0}`, "final_logit_softcapping is 0"},
		{"gemma scale", `{"model_type": "gemma3_text", "query_pre_attn_scalar": -1}`, "query_pre_attn_scalar is -1"},
		{"gemma window", `{"model_type": "gemma2", "sliding_window": null}`, "sliding_window is null"},
		{"gemma chunks", `{"model_type": "gemma2", "num_hidden_layers": 1, "layer_types": ["chunked_attention"]}`, `"chunked_attention"`},
		{"gemma pattern", `{"model_type": "gemma3_text", "sliding_window_pattern": 0}`, "sliding_window_pattern is 0"},
		{"gemma flat positions", `{"model_type": "gemma3_text", "rope_parameters": {"rope_theta": 5}}`, "neither full_attention nor"},
		{"gemma old scaling", `{"model_type": "gemma3_text", "rope_scaling": {"type": "linear", "factor": 8}}`, "write rope_type"},
		{
			"gemma local", `{"model_type": "gemma3_text", "rope_parameters": {"sliding_attention": {"rope_type": "yarn", "truncate": false}}}`,
			"rope_parameters of sliding_attention: truncate",
		},
		{"phi scaling", `{"model_type": "phi3", "rope_scaling": {"type": "yarn", "factor": 2}}`, `rope_type "yarn" is not supported for phi3`},
		{"smollm layers", `{"model_type": "smollm3", "no_rope_layers": [1]}`, "no_rope_layers has 1 entries for 36 layers"},
		{"smollm interval", `{"model_type": "smollm3", "no_rope_layer_interval": 0}`, "no_rope_layer_interval is 0"},
		{
			"smollm window", `{"model_type": "smollm3", "num_hidden_layers": 1, "layer_types": ["sliding_attention"]}`,
			"there is no sliding_window",
		},
		{"granite factor", `{"model_type": "granite", "logits_scaling": 0}`, "logits_scaling is 0"},
		{"too large", `{"model_type": "llama", "vocab_size": 1000000000}`, "vocab_size is 1000000000"},
		{"wrong type", `{"model_type": "gpt2", "n_layer": "two"}`, "n_layer"},
	} {
		if _, err := ParseConfig([]byte(test.json)); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: ParseConfig = %v, want an error with %q", test.name, err, test.want)
		}
	}
}

// TestParseConfigDefaults: what a config.json leaves out has transformers' default, which is the first model of each family.
func TestParseConfigDefaults(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]struct {
		params int64
		window int
	}{
		"llama":    {6_738_415_616, 0},    // Llama 7B
		"mistral":  {7_241_732_096, 4096}, // Mistral 7B
		"gpt_neox": {20_554_567_680, 0},   // GPT-NeoX-20B
		"opt":      {125_239_296, 0},      // OPT-125m
	} {
		c, err := ParseConfig([]byte(`{"model_type": "` + name + `"}`))
		must(t, err)
		if c.Params() != want.params || c.Window != want.window {
			t.Errorf("%s: %d parameters and a window of %d, want %+v", name, c.Params(), c.Window, want)
		}
	}
	c, err := ParseConfig([]byte(`{"model_type": "mistral", "sliding_window": null}`))
	must(t, err)
	if c.Window != 0 {
		t.Errorf("sliding_window null = %d, want none", c.Window)
	}
	old, err := ParseConfig([]byte(`{"model_type": "gpt_neox", "rotary_pct": 0.5, "rotary_emb_base": 25000, "rope_scaling": null}`))
	must(t, err)
	if diff := cmp.Diff(Rope{Theta: 25000, Dims: 48}, old.Rope); diff != "" {
		t.Errorf("Pythia's own names of positions (-want +got):\n%s", diff)
	}
}

// TestWindowedLayers: which layers have the window, as transformers 5.24 answers. By itself max_window_layers is 28.
func TestWindowedLayers(t *testing.T) {
	t.Parallel()
	for config, want := range map[string]string{
		`"model_type": "qwen2"`: "...",
		`"model_type": "qwen2", "sliding_window": 8, "max_window_layers": 1`:                                                "...",
		`"model_type": "qwen2", "use_sliding_window": true`:                                                                 "...",
		`"model_type": "qwen2", "use_sliding_window": true, "max_window_layers": 1`:                                         ".ww",
		`"model_type": "qwen2", "use_sliding_window": true, "sliding_window": null`:                                         "...",
		`"model_type": "qwen3", "use_sliding_window": true, "max_window_layers": 2`:                                         "..w",
		`"model_type": "qwen3", "use_sliding_window": true, "layer_types": ["sliding_attention", "attention", "attention"]`: "w..",
		`"model_type": "mistral"`:                         "www",
		`"model_type": "mistral", "sliding_window": null`: "...",
		`"model_type": "mistral", "layer_types": ["full_attention", "sliding_attention", "attention"]`: ".w.",
	} {
		c, err := ParseConfig([]byte(`{"num_hidden_layers": 3, ` + config + `}`))
		must(t, err)
		got := ""
		for i := range c.Layers {
			got += map[bool]string{false: ".", true: "w"}[c.windowed(i)]
		}
		if got != want {
			t.Errorf("%s: %s, want %s", config, got, want)
		}
	}
}

func TestMatch(t *testing.T) {
	t.Parallel()
	all := smallConfig().Modules()
	for _, test := range []struct {
		name    string
		targets lora.Targets
		want    int
		err     string
	}{
		{"suffix", lora.Targets{List: []string{"c_proj"}}, 4, ""},
		{"all-linear", lora.Targets{Pattern: "all-linear"}, 8, ""},
		{"regex", lora.Targets{Pattern: `.*\.h\.1\..*c_fc`}, 1, ""},
		{"head", lora.Targets{List: []string{"lm_head"}}, 1, ""},
		{"nothing", lora.Targets{List: []string{"q_proj"}}, 0, "c_attn"},
	} {
		got, err := lora.MatchTargets(all, test.targets)
		if test.err == "" && (err != nil || len(got) != test.want) {
			t.Errorf("%s: Match = %d modules, %v, want %d", test.name, len(got), err, test.want)
		}
		if test.err != "" && (err == nil || !strings.Contains(err.Error(), test.err)) {
			t.Errorf("%s: Match = %v, want an error with %q", test.name, err, test.err)
		}
	}
}

// TestCapsOff: null turns a cap off, which a file that leaves it out does not; Gemma 3 has none on its scores whatever it says.
func TestCapsOff(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][2]float64{
		`{"model_type": "gemma2"}`:                                                                   {50, 30},
		`{"model_type": "gemma2", "attn_logit_softcapping": null}`:                                   {0, 30},
		`{"model_type": "gemma2", "final_logit_softcapping": null}`:                                  {50, 0},
		`{"model_type": "gemma3_text", "attn_logit_softcapping": 9, "final_logit_softcapping": 2.5}`: {0, 2.5},
	} {
		c, err := ParseConfig([]byte(text))
		must(t, err)
		if c.ScoreCap != want[0] || c.LogitCap != want[1] {
			t.Errorf("%s: caps %g and %g, want %v", text, c.ScoreCap, c.LogitCap, want)
		}
	}
}

// TestBeyondTrainedLength: where positions turn in another way in longer texts, those are refused with that reason.
func TestBeyondTrainedLength(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`{"model_type": "llama", "head_dim": 4, "max_position_embeddings": 32, "rope_scaling": {"type": "longrope",
			"short_factor": [1, 2], "original_max_position_embeddings": 8}}`: "the model has 8 positions, beyond which its rope_type longrope",
		`{"model_type": "llama", "max_position_embeddings": 8, "rope_scaling": {"type": "dynamic", "factor": 2}}`: "rope_type dynamic",
	} {
		c, err := ParseConfig([]byte(text))
		must(t, err)
		for T, wrong := range map[int]bool{8: false, 9: true} {
			b := Batch{B: 1, T: T, IDs: make([]int32, T), Labels: make([]int32, T)}
			_, err := b.plan(c)
			if (err != nil) != wrong || wrong && !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %d tokens: %v", text, T, err)
			}
		}
	}
}

package model

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ranksweep/ranksweep/sweep"
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
		{"another type", `{"model_type": "bert"}`, `model_type is "bert", which cannot be trained; those that can are gpt2, llama, mistral, qwen2, qwen3`},
		{"no type", `{}`, `model_type is ""`},
		{"activation", `{"model_type": "gpt2", "activation_function": "swish"}`, `activation_function (hidden_act) "swish" is not supported, want one of [gelu_new`},
		{"cross attention", `{"model_type": "gpt2", "add_cross_attention": true}`, "add_cross_attention"},
		{"heads", `{"model_type": "gpt2", "n_embd": 10, "n_head": 3}`, "n_embd 10 is not a multiple of n_head 3"},
		{"zero", `{"model_type": "gpt2", "n_layer": 0}`, "n_layer (num_hidden_layers) is 0"},
		{"epsilon", `{"model_type": "gpt2", "layer_norm_epsilon": 0}`, "layer_norm_epsilon (rms_norm_eps) is 0"},
		{"wrong type", `{"model_type": "gpt2", "n_layer": "two"}`, "n_layer"},
	} {
		if _, err := ParseConfig([]byte(test.json)); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: ParseConfig = %v, want an error with %q", test.name, err, test.want)
		}
	}
}

func TestMatch(t *testing.T) {
	t.Parallel()
	all := smallConfig().Modules()
	for _, test := range []struct {
		name    string
		targets sweep.Targets
		want    int
		err     string
	}{
		{"suffix", sweep.Targets{List: []string{"c_proj"}}, 4, ""},
		{"all-linear", sweep.Targets{Pattern: "all-linear"}, 8, ""},
		{"regex", sweep.Targets{Pattern: `.*\.h\.1\..*c_fc`}, 1, ""},
		{"head", sweep.Targets{List: []string{"lm_head"}}, 0, "output head is not supported"},
		{"nothing", sweep.Targets{List: []string{"q_proj"}}, 0, "c_attn"},
	} {
		got, err := sweep.MatchTargets(all, test.targets)
		if test.err == "" && (err != nil || len(got) != test.want) {
			t.Errorf("%s: Match = %d modules, %v, want %d", test.name, len(got), err, test.want)
		}
		if test.err != "" && (err == nil || !strings.Contains(err.Error(), test.err)) {
			t.Errorf("%s: Match = %v, want an error with %q", test.name, err, test.err)
		}
	}
}

package weights

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
)

// Config returns the config.json that a model in this file would have in transformers, so that everything else reads one kind
// of configuration. A setting that has no place there is an error that names it.
func (g GGUF) Config() ([]byte, error) {
	arch := g.architecture()
	if _, ok := ggufArchitectures()[arch]; !ok {
		return nil, fmt.Errorf("%w: a GGUF file of architecture %q, which cannot be trained; those that can are %s",
			ErrFormat, arch, strings.Join(slices.Sorted(maps.Keys(ggufArchitectures())), ", "))
	}
	config := map[string]any{"model_type": arch, "tie_word_embeddings": !g.has("lm_head.weight")}
	for _, s := range []struct {
		gguf, hf string
		needed   bool
	}{
		{"block_count", "num_hidden_layers", true},
		{"context_length", "max_position_embeddings", true},
		{"embedding_length", "hidden_size", true},
		{"feed_forward_length", "intermediate_size", true},
		{"attention.head_count", "num_attention_heads", true},
		{"attention.head_count_kv", "num_key_value_heads", false},
		{"attention.key_length", "head_dim", false},
	} {
		n, ok := g.number(s.gguf)
		switch {
		case ok:
			config[s.hf] = n
		case s.needed || g.Metadata[arch+"."+s.gguf] != nil:
			return nil, fmt.Errorf("%w: its metadata %s.%s is %v, want one number", ErrFormat, arch, s.gguf, g.Metadata[arch+"."+s.gguf])
		}
	}
	if err := g.refuse(); err != nil {
		return nil, err
	}
	if n, ok := config["num_key_value_heads"]; !ok || n == 0 {
		config["num_key_value_heads"] = config["num_attention_heads"]
	}
	if arch == "qwen3" && config["head_dim"] == nil { // transformers' default is 128, llama.cpp's an even share
		heads, _ := g.number("attention.head_count")
		width, _ := g.number("embedding_length")
		config["head_dim"] = width / max(heads, 1)
	}
	config["vocab_size"] = g.vocabulary()
	config["attention_bias"] = g.has("model.layers.0.self_attn.q_proj.bias")
	config["mlp_bias"] = g.has("model.layers.0.mlp.gate_proj.bias")
	config["rms_norm_eps"] = g.float("attention.layer_norm_rms_epsilon", 1e-5)
	rope, err := g.ropeParameters()
	if err != nil {
		return nil, err
	}
	config["rope_parameters"] = rope
	return json.Marshal(config)
}

// refuse reports settings that change the computation and that no supported config.json expresses.
func (g GGUF) refuse() error {
	arch := g.architecture()
	for _, key := range []string{
		"expert_count", "attention.sliding_window", "attention.scale", "logit_scale", "embedding_scale",
		"residual_scale",
	} {
		v, ok := g.Metadata[arch+"."+key]
		if n, isNumber := g.number(key); ok && (!isNumber || n != 0) {
			return fmt.Errorf("%w: its metadata %s.%s is %v, which is not supported", ErrFormat, arch, key, v)
		}
	}
	heads, _ := g.number("attention.head_count")
	width, _ := g.number("embedding_length")
	D, ok := g.number("attention.key_length")
	if !ok {
		D = width / max(heads, 1)
	}
	for _, key := range []string{"attention.value_length", "rope.dimension_count"} {
		if n, ok := g.number(key); ok && n != D {
			return fmt.Errorf("%w: its metadata %s.%s is %d; only the width of a whole head, %d, is supported", ErrFormat, arch, key, n, D)
		}
	}
	return nil
}

func (g GGUF) has(tensor string) bool {
	return slices.ContainsFunc(g.header.Tensors, func(e Entry) bool { return e.Name == tensor })
}

// vocabulary is the embedding's: metadata may count fewer or more tokens.
func (g GGUF) vocabulary() int {
	for _, e := range g.header.Tensors {
		if e.Name == "model.embed_tokens.weight" && len(e.Shape) == 2 {
			return e.Shape[0]
		}
	}
	return 0
}

// float returns a setting as a number that prints as it was meant: 1e-05, not 9.999999747378752e-06.
func (g GGUF) float(key string, standard float64) json.Number {
	switch v := g.Metadata[g.architecture()+"."+key].(type) {
	case float32:
		if !math.IsNaN(float64(v)) && !math.IsInf(float64(v), 0) {
			return json.Number(strconv.FormatFloat(float64(v), 'g', -1, 32))
		}
		return "0"
	case float64:
		if !math.IsNaN(v) && !math.IsInf(v, 0) {
			return json.Number(strconv.FormatFloat(v, 'g', -1, 64))
		}
		return "0"
	}
	return json.Number(strconv.FormatFloat(standard, 'g', -1, 64))
}

// ropeParameters returns how positions are scaled, in transformers' words.
func (g GGUF) ropeParameters() (map[string]any, error) {
	p := map[string]any{"rope_theta": g.float("rope.freq_base", 10000), "rope_type": "default"}
	kind, _ := g.Metadata[g.architecture()+".rope.scaling.type"].(string)
	switch {
	case g.rope != nil:
		factor, ok := g.llama3Factor()
		if !ok {
			return nil, fmt.Errorf("%w: its %s scales positions in another way than Llama 3.1 and 3.2 do, which is not supported", ErrFormat,
				ropeFactors)
		}
		p["rope_type"], p["factor"] = "llama3", factor
		p["low_freq_factor"], p["high_freq_factor"], p["original_max_position_embeddings"] = llama3Low, llama3High, llama3Original
	case kind == "linear":
		p["rope_type"], p["factor"] = kind, g.float("rope.scaling.factor", 1)
	case kind != "" && kind != "none":
		return nil, fmt.Errorf("%w: its rope.scaling.type is %q, which is not supported", ErrFormat, kind)
	}
	return p, nil
}

// Llama 3.1's and 3.2's rope_scaling (config.json of the models), which their GGUF files hold only as its result.
const (
	llama3Low      = 1.0
	llama3High     = 4.0
	llama3Original = 8192.0
)

// llama3Factor finds the factor with which rope_freqs.weight comes out as llama.cpp's converter computes it
// (Llama3Model.generate_extra_tensors): by how much each wavelength is stretched.
func (g GGUF) llama3Factor() (factor float64, ok bool) {
	base, err := g.float("rope.freq_base", 10000).Float64()
	if err != nil {
		return 0, false
	}
	for _, factor := range []float64{8, 32} {
		fits := len(g.rope) > 0
		for i, stretch := range g.rope {
			frequency := math.Pow(base, -float64(i)/float64(len(g.rope)))
			turns := llama3Original * frequency / (2 * math.Pi)
			smooth := min(max((turns-llama3Low)/(llama3High-llama3Low), 0), 1)
			want := 1 / ((1-smooth)/factor + smooth)
			fits = fits && math.Abs(float64(stretch)-want) <= 1e-3*want
		}
		if fits {
			return factor, true
		}
	}
	return 0, false
}

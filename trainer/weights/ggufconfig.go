package weights

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/ranksweep/ranksweep/sweep/trial"
)

// Config returns the config.json that a model in this file would have in transformers, so that everything else reads one kind
// of configuration. A setting that has no place there is an error that names it.
func (g GGUF) Config() ([]byte, error) {
	arch, err := g.known()
	if err != nil {
		return nil, err
	}
	config, err := g.shape()
	if err != nil {
		return nil, err
	}
	D, turned, err := g.heads()
	if err != nil {
		return nil, err
	}
	config["model_type"] = cmp.Or(arch.modelType, g.architecture())
	config["tie_word_embeddings"] = !g.has(arch.outer["output"] + ".weight")
	config["vocab_size"] = g.vocabulary(arch.outer["token_embd"] + ".weight")
	config["attention_bias"] = g.has("model.layers.0.self_attn.q_proj.bias")
	config["mlp_bias"] = g.has("model.layers.0.mlp.gate_proj.bias")
	config["rms_norm_eps"] = g.float("attention.layer_norm_rms_epsilon", 1e-5)
	if err := errors.Join(g.refuse(arch), g.rename(arch.keys, config)); err != nil {
		return nil, err
	}
	if arch.config != nil {
		if err := arch.config(g, config, D); err != nil {
			return nil, err
		}
	}
	if config["rope_parameters"], err = g.ropeParameters(arch, D, turned); err != nil {
		return nil, err
	}
	return json.Marshal(config)
}

// known returns the file's architecture, or an error that names one that cannot be read.
func (g GGUF) known() (ggufArchitecture, error) {
	name := g.architecture()
	if n, _ := g.number("expert_count"); n > 0 {
		return ggufArchitecture{}, fmt.Errorf("%w: the GGUF file holds a mixture of experts (architecture %q, %d experts), which cannot be "+
			"trained; load a dense model", trial.ErrInput, name, n)
	}
	arch, ok := ggufArchitectures()[name]
	if !ok {
		return arch, fmt.Errorf("%w: the GGUF file is of architecture %q, which cannot be trained; those that can are %s", trial.ErrInput, name,
			strings.Join(slices.Sorted(maps.Keys(ggufArchitectures())), ", "))
	}
	return arch, nil
}

// shape returns the sizes that every architecture has.
func (g GGUF) shape() (map[string]any, error) {
	config := map[string]any{}
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
		_, there := g.setting(s.gguf)
		switch {
		case ok:
			config[s.hf] = n
		case s.needed || there:
			v, _ := g.setting(s.gguf)
			return nil, fmt.Errorf("%w: its metadata %s.%s is %v, want one number", ErrFormat, g.architecture(), s.gguf, v)
		}
	}
	if n, ok := config["num_key_value_heads"]; !ok || n == 0 {
		config["num_key_value_heads"] = config["num_attention_heads"]
	}
	return config, nil
}

// refuse reports settings that change the computation and that no supported config.json expresses.
func (g GGUF) refuse(arch ggufArchitecture) error {
	for _, key := range []string{
		"attention.sliding_window", "attention.scale", "logit_scale", "embedding_scale", "residual_scale", "attn_logit_softcapping",
		"final_logit_softcapping", "attention.clamp_kqv", "attention.output_scale", "attention.temperature_scale",
	} {
		v, ok := g.setting(key)
		if n, isNumber := asInt(v); ok && (!isNumber || n != 0) && arch.keys[key] == "" {
			return g.unsupported(key)
		}
	}
	if v, ok := g.setting("attention.causal"); ok && v != true {
		return g.unsupported("attention.causal")
	}
	return nil
}

// heads returns the width of a head, and how much of it turns with the position.
func (g GGUF) heads() (width, turned int, err error) {
	heads, _ := g.number("attention.head_count")
	embed, _ := g.number("embedding_length")
	width, ok := g.number("attention.key_length")
	if !ok {
		width = embed / max(heads, 1)
	}
	if n, ok := g.number("attention.value_length"); ok && n != width {
		return 0, 0, fmt.Errorf("%w: its metadata attention.value_length is %d; only the width of a whole head, %d, is supported",
			trial.ErrInput, n, width)
	}
	if turned, ok = g.number("rope.dimension_count"); !ok {
		turned = width
	}
	return width, turned, nil
}

// unsupported is the error about a setting of a good file.
func (g GGUF) unsupported(key string) error {
	v, ok := g.setting(key)
	if !ok {
		return fmt.Errorf("%w: its metadata has no %s.%s, which is not supported", trial.ErrInput, g.architecture(), key)
	}
	return fmt.Errorf("%w: its metadata %s.%s is %v, which is not supported", trial.ErrInput, g.architecture(), key, v)
}

func (g GGUF) has(tensor string) bool {
	return slices.ContainsFunc(g.header.Tensors, func(e Entry) bool { return e.Name == tensor })
}

// vocabulary is the embedding's: metadata may count fewer or more tokens.
func (g GGUF) vocabulary(embedding string) int {
	for _, e := range g.header.Tensors {
		if e.Name == embedding && len(e.Shape) == 2 {
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
func (g GGUF) ropeParameters(arch ggufArchitecture, width, turned int) (any, error) {
	p := map[string]any{"rope_theta": g.float("rope.freq_base", 10000), "rope_type": "default"}
	kind, _ := g.Metadata[g.architecture()+".rope.scaling.type"].(string)
	switch {
	case g.rope[ropeFreqs] != nil:
		factor, ok := g.llama3Factor()
		if !ok {
			return nil, fmt.Errorf("%w: its %s scales positions in another way than Llama 3.1 and 3.2 do, which is not supported",
				trial.ErrInput, ropeFreqs)
		}
		p["rope_type"], p["factor"] = "llama3", factor
		p["low_freq_factor"], p["high_freq_factor"], p["original_max_position_embeddings"] = llama3Low, llama3High, llama3Original
	case kind == "linear":
		p["rope_type"], p["factor"] = kind, g.float("rope.scaling.factor", 1)
	case kind != "" && kind != "none":
		return nil, g.unsupported("rope.scaling.type")
	}
	switch {
	case turned != width && !arch.partial:
		return nil, fmt.Errorf("%w: its metadata rope.dimension_count is %d; only the width of a whole head, %d, is supported", trial.ErrInput,
			turned, width)
	case turned != width:
		p["partial_rotary_factor"] = share(turned, width)
	}
	if arch.rope == nil {
		return p, nil
	}
	return arch.rope(g, p)
}

// share returns the part of a width from which transformers, which rounds down, gets n again.
func share(n, width int) float64 {
	part := float64(n) / float64(max(width, 1))
	if int(part*float64(width)) < n {
		part = math.Nextafter(part, 2)
	}
	return part
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
		stretches := g.rope[ropeFreqs]
		fits := len(stretches) > 0
		for i, stretch := range stretches {
			frequency := math.Pow(base, -float64(i)/float64(len(stretches)))
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

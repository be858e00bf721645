package weights

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"

	"github.com/ranksweep/ranksweep/sweep/trial"
)

// ggufArchitecture is how a model in GGUF differs from the same in transformers: what llama.cpp's converter (conversion/*.py) does to
// it, undone.
type ggufArchitecture struct {
	modelType string            // transformers' model_type; empty where it is the same word
	outer     map[string]string // modules outside the layers, by what gguf-py (constants.py) calls them
	layers    string            // what comes before a layer's number, where llama.cpp has blk.
	inner     map[string]string // modules of a layer
	permuted  bool              // rows of q and k are in the order of neighbours (LlamaModel.permute)
	fusedQKV  bool              // attn_qkv has q, k and v one after the other, transformers has them by heads
	normShift bool              // norms hold 1 more
	partial   bool              // part of a head may turn with the position

	keys   map[string]string                              // settings that only have another name in config.json
	config func(g GGUF, c map[string]any, D int) error    // the other settings; D is the width of a head
	rope   func(g GGUF, rope map[string]any) (any, error) // rope_parameters, where they are not those of all layers
}

// ggufArchitectures are the values of general.architecture that can be read.
func ggufArchitectures() map[string]ggufArchitecture {
	return map[string]ggufArchitecture{
		"llama": llamaGGUF(), "qwen2": llamaGGUF().with(neighboursApart), "qwen3": llamaGGUF().with(neighboursApart, headNorms, qwen3GGUF),
		"smollm3": llamaGGUF().with(smollm3GGUF), "granite": llamaGGUF().with(graniteGGUF), "olmo2": llamaGGUF().with(neighboursApart, olmo2GGUF),
		"phi3":    llamaGGUF().with(neighboursApart, phi3GGUF),
		"gemma2":  llamaGGUF().with(neighboursApart, gemmaGGUF, gemma2GGUF),
		"gemma3":  llamaGGUF().with(neighboursApart, gemmaGGUF, headNorms, gemma3GGUF),
		"gptneox": gptneoxGGUF(),
	}
}

func (a ggufArchitecture) with(changes ...func(*ggufArchitecture)) ggufArchitecture {
	for _, change := range changes {
		change(&a)
	}
	return a
}

// llamaGGUF has the names of the Llama family.
func llamaGGUF() ggufArchitecture {
	return ggufArchitecture{
		outer:  map[string]string{"token_embd": "model.embed_tokens", "output_norm": "model.norm", "output": "lm_head"},
		layers: "model.layers.",
		inner: map[string]string{
			"attn_norm":   "input_layernorm",
			"attn_q":      "self_attn.q_proj",
			"attn_k":      "self_attn.k_proj",
			"attn_v":      "self_attn.v_proj",
			"attn_output": "self_attn.o_proj",
			"ffn_norm":    "post_attention_layernorm",
			"ffn_gate":    "mlp.gate_proj",
			"ffn_up":      "mlp.up_proj",
			"ffn_down":    "mlp.down_proj",
		},
		permuted: true,
		keys:     map[string]string{},
	}
}

// neighboursApart: llama.cpp rotates halves of a head, as transformers does (LLAMA_ROPE_TYPE_NEOX).
func neighboursApart(a *ggufArchitecture) { a.permuted = false }

func headNorms(a *ggufArchitecture) {
	a.inner["attn_q_norm"], a.inner["attn_k_norm"] = "self_attn.q_norm", "self_attn.k_norm"
}

func qwen3GGUF(a *ggufArchitecture) {
	a.config = func(_ GGUF, c map[string]any, D int) error {
		c["head_dim"] = D // transformers' default is 128, llama.cpp's an even share
		return nil
	}
}

// smollm3GGUF: in llama.cpp every fourth layer has no rotary positions (n_no_rope_layer_step).
func smollm3GGUF(a *ggufArchitecture) {
	a.config = func(_ GGUF, c map[string]any, _ int) error {
		c["no_rope_layer_interval"] = 4
		return nil
	}
}

func graniteGGUF(a *ggufArchitecture) {
	a.keys = map[string]string{
		"attention.scale": "attention_multiplier", "embedding_scale": "embedding_multiplier", "residual_scale": "residual_multiplier",
		"logit_scale": "logits_scaling",
	}
	a.config = func(g GGUF, c map[string]any, D int) error {
		if on, ok := g.Metadata["granite.rope.scaling.finetuned"].(bool); ok && !on {
			return fmt.Errorf("%w: its metadata granite.rope.scaling.finetuned is false: a Granite without rotary positions is not supported",
				trial.ErrInput)
		}
		if c["attention_multiplier"] == nil { // transformers' default is 1, llama.cpp's this
			c["attention_multiplier"] = 1 / math.Sqrt(float64(D))
		}
		return nil
	}
}

// olmo2GGUF normalises after attention and MLP, and all of q and k at once.
func olmo2GGUF(a *ggufArchitecture) {
	headNorms(a)
	delete(a.inner, "attn_norm")
	delete(a.inner, "ffn_norm")
	a.inner["post_attention_norm"], a.inner["post_ffw_norm"] = "post_attention_layernorm", "post_feedforward_layernorm"
}

// phi3GGUF has q, k and v in one tensor, and gate and up, as transformers has.
func phi3GGUF(a *ggufArchitecture) {
	for _, name := range []string{"attn_q", "attn_k", "attn_v", "ffn_gate"} {
		delete(a.inner, name)
	}
	a.inner["attn_qkv"], a.inner["ffn_up"] = "self_attn.qkv_proj", "mlp.gate_up_proj"
	a.keys = map[string]string{
		"rope.scaling.original_context_length": "original_max_position_embeddings", "attention.sliding_window": "sliding_window",
	}
	a.config = func(_ GGUF, c map[string]any, _ int) error {
		if c["sliding_window"] == json.Number("0") { // Phi-4
			c["sliding_window"] = nil
		}
		return nil
	}
	a.partial, a.rope = true, longRope
}

// gemmaGGUF has norms before and after attention and MLP.
func gemmaGGUF(a *ggufArchitecture) {
	a.inner["post_attention_norm"], a.inner["ffn_norm"] = "post_attention_layernorm", "pre_feedforward_layernorm"
	a.inner["post_ffw_norm"] = "post_feedforward_layernorm"
	a.normShift = true
	a.keys = map[string]string{
		"attn_logit_softcapping": "attn_logit_softcapping", "final_logit_softcapping": "final_logit_softcapping",
		"attention.sliding_window": "sliding_window",
	}
}

func gemma2GGUF(a *ggufArchitecture) {
	const layersOf27B = 46
	a.config = func(g GGUF, c map[string]any, D int) error { return g.gemmaConfig(c, D, layersOf27B, 2) }
}

func gemma3GGUF(a *ggufArchitecture) {
	const layersOf27B = 62
	a.modelType = "gemma3_text"
	a.config = func(g GGUF, c map[string]any, D int) error {
		if c["sliding_window"] == nil {
			return fmt.Errorf("%w: a Gemma 3 without attention.sliding_window is not supported", trial.ErrInput)
		}
		return g.gemmaConfig(c, D, layersOf27B, 6)
	}
	a.rope = func(g GGUF, rope map[string]any) (any, error) {
		near := map[string]any{"rope_type": "default", "rope_theta": g.float("rope.freq_base_swa", 10000)}
		return map[string]any{"full_attention": rope, "sliding_attention": near}, nil
	}
}

// gemmaConfig says what llama.cpp knows by itself. It scales attention as these models do: by the width of a head, of the one with 27
// billion parameters by an even share.
func (g GGUF) gemmaConfig(c map[string]any, D, layersOf27B, every int) error {
	layers, _ := g.number("block_count")
	heads, _ := g.number("attention.head_count")
	width, _ := g.number("embedding_length")
	c["head_dim"], c["query_pre_attn_scalar"] = D, D
	if layers == layersOf27B {
		c["query_pre_attn_scalar"] = width / max(heads, 1)
	}
	c["hidden_activation"] = "gelu_pytorch_tanh"
	if _, ok := g.setting("attention.sliding_window_pattern"); ok {
		if every, ok = g.number("attention.sliding_window_pattern"); !ok || every < 1 {
			return g.unsupported("attention.sliding_window_pattern")
		}
	}
	types := make([]string, min(layers, maxGGUFTensors))
	for i := range types {
		types[i] = "sliding_attention"
		if (i+1)%every == 0 {
			types[i] = "full_attention"
		}
	}
	c["layer_types"] = types
	return nil
}

// gptneoxGGUF has the names of GPT-NeoX. Its activation is in no GGUF file; Pythia's is gelu.
func gptneoxGGUF() ggufArchitecture {
	return ggufArchitecture{
		modelType: "gpt_neox",
		outer:     map[string]string{"token_embd": "gpt_neox.embed_in", "output_norm": "gpt_neox.final_layer_norm", "output": "embed_out"},
		layers:    "gpt_neox.layers.",
		inner: map[string]string{
			"attn_norm":   "input_layernorm",
			"attn_qkv":    "attention.query_key_value",
			"attn_output": "attention.dense",
			"ffn_norm":    "post_attention_layernorm",
			"ffn_up":      "mlp.dense_h_to_4h",
			"ffn_down":    "mlp.dense_4h_to_h",
		},
		fusedQKV: true, partial: true,
		keys: map[string]string{"attention.layer_norm_epsilon": "layer_norm_eps"},
		config: func(g GGUF, c map[string]any, _ int) error {
			parallel, ok := g.Metadata["gptneox.use_parallel_residual"].(bool)
			if !ok {
				return g.unsupported("use_parallel_residual")
			}
			c["use_parallel_residual"], c["hidden_act"], c["attention_bias"] = parallel, "gelu", true
			delete(c, "rms_norm_eps")
			delete(c, "mlp_bias")
			return nil
		},
		rope: func(_ GGUF, rope map[string]any) (any, error) {
			if rope["partial_rotary_factor"] == nil { // transformers' default is a quarter
				rope["partial_rotary_factor"] = 1.0
			}
			return rope, nil
		},
	}
}

// longRope adds Phi-3's two lists of factors, for sequences within the length that was trained first and beyond. By how much attention
// is scaled follows from the lengths, in the converter and in transformers.
func longRope(g GGUF, rope map[string]any) (any, error) {
	long, short := g.rope[ropeLong], g.rope[ropeShort]
	if long == nil && short == nil {
		return rope, nil
	}
	longest, _ := g.number("context_length")
	first, ok := g.number("rope.scaling.original_context_length")
	if len(long) == 0 || len(long) != len(short) || !ok || first < 2 || longest < first || !finite(long) || !finite(short) {
		return nil, fmt.Errorf("%w: its %s and %s do not scale positions as Phi-3 does", trial.ErrInput, ropeLong, ropeShort)
	}
	scale := math.Sqrt(1 + math.Log(float64(longest)/float64(first))/math.Log(float64(first)))
	said, err := g.float("rope.scaling.attn_factor", scale).Float64()
	if err != nil || math.Abs(said-scale) > 1e-5 {
		return nil, g.unsupported("rope.scaling.attn_factor")
	}
	rope["rope_type"], rope["long_factor"], rope["short_factor"] = "longrope", long, short
	rope["original_max_position_embeddings"] = first
	return rope, nil
}

func finite(list []float32) bool {
	return !slices.ContainsFunc(list, func(v float32) bool { return math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) || v <= 0 })
}

// rename adds to c the settings that only have another name there.
func (g GGUF) rename(keys map[string]string, c map[string]any) error {
	for key, name := range keys {
		v, ok := g.setting(key)
		if !ok {
			continue
		}
		switch v.(type) {
		case float32, float64:
			c[name] = g.float(key, 0)
		default:
			n, ok := asInt(v)
			if !ok {
				return g.unsupported(key)
			}
			c[name] = json.Number(strconv.Itoa(n))
		}
	}
	return nil
}

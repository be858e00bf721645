package model

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// checkKind refuses kinds of models by name: mixtures of experts, quantised weights, encoders. It looks at the settings alone, so that
// no weight is read, or fetched, in vain.
func checkKind(modelType string, text []byte) error {
	var all map[string]json.RawMessage
	if err := json.Unmarshal(text, &all); err != nil {
		return err
	}
	if err := checkExperts(modelType, all); err != nil {
		return err
	}
	return errors.Join(checkQuantised(all), checkSettings(all))
}

// expertCounts are the keys under which transformers 5.24's configurations count experts.
func expertCounts() []string {
	return []string{"num_local_experts", "num_experts", "n_routed_experts", "moe_num_experts"}
}

// checkExperts refuses mixtures of experts. A model of text and images keeps the settings of its text under text_config.
func checkExperts(modelType string, all map[string]json.RawMessage) error {
	experts, key := 0, ""
	for _, name := range expertCounts() {
		var n int
		if json.Unmarshal(all[name], &n) == nil && n > experts {
			experts, key = n, name
		}
	}
	var nested map[string]json.RawMessage
	if json.Unmarshal(all["text_config"], &nested) == nil {
		if err := checkExperts(modelType, nested); err != nil {
			return err
		}
	}
	dense, known := mixtures()[modelType]
	if experts < 2 && !known && !strings.Contains(modelType, "moe") {
		return nil
	}
	if key != "" {
		key = fmt.Sprintf(" (%s is %d)", key, experts)
	}
	return fmt.Errorf("model_type %s is a mixture of experts%s, which cannot be trained; use a dense model, such as %s", modelType, key,
		cmp.Or(dense, "one of model_type "+strings.Join(Architectures(), ", ")))
}

// mixtures are the values of model_type that are mixtures of experts and do not say so, with what is like them and dense; "" for
// nothing. Others are known by their number of experts.
func mixtures() map[string]string {
	const mistral, qwen, distilled = "Mistral-7B", "a dense Qwen2.5 or Qwen3", "one of its distillations into Llama or Qwen"
	return map[string]string{
		"mixtral": mistral, "qwen2_moe": qwen, "qwen3_moe": qwen, "qwen3_next": qwen, "qwen3_5_moe": qwen,
		"deepseek_v2": distilled, "deepseek_v3": distilled, "deepseek_v32": distilled, "deepseek_v4": distilled,
		"gpt_oss": "", "llama4": "Llama 3", "llama4_text": "Llama 3", "dbrx": "", "jamba": "", "minimax": "", "minimax_m2": "",
		"kimi_k2": "", "dots1": "", "flex_olmo": "", "grok-1": "", "arctic": "",
	}
}

// checkQuantised refuses quantised weights, whatever method made them. quantization is what MLX writes, compression_config what
// compressed-tensors wrote before quantization_config.
func checkQuantised(all map[string]json.RawMessage) error {
	for _, key := range []string{"quantization_config", "compression_config", "quantization"} {
		text := bytes.TrimSpace(all[key])
		if slices.Contains([]string{"", "null", "{}", "false"}, string(text)) {
			continue
		}
		return fmt.Errorf("its weights are quantised (%s: %s), which cannot be trained; use the unquantised model that it was made from, "+
			"usually the one of the same name without the method's (-bnb-4bit, -GPTQ, -AWQ, -FP8, …)", key, quantisation(key, text))
	}
	return nil
}

// quantisation names the method, and the bits where the settings say them.
func quantisation(key string, text []byte) string {
	var q struct {
		Method string `json:"quant_method"`
		Bits   any    `json:"bits"`
		Four   bool   `json:"load_in_4bit"`
		Eight  bool   `json:"load_in_8bit"`
	}
	if json.Unmarshal(text, &q) != nil { // another form of it, which is no less quantised
		return "unknown"
	}
	if q.Method == "" && key == "quantization" {
		q.Method = "mlx"
	}
	if q.Method == "" && (q.Four || q.Eight) {
		q.Method = "bitsandbytes"
	}
	switch method := cmp.Or(q.Method, "unknown"); {
	case q.Four:
		return method + ", 4 bits"
	case q.Eight:
		return method + ", 8 bits"
	case q.Bits != nil:
		return fmt.Sprintf("%s, %v bits", method, q.Bits)
	default:
		return method
	}
}

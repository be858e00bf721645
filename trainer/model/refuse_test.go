package model

import (
	"strings"
	"testing"
)

// TestParseConfigRefusesKinds: what nobody can train here is named before a weight is read, whether or not its model_type is known.
func TestParseConfigRefusesKinds(t *testing.T) {
	t.Parallel()
	quantised := func(q string) string { return `{"model_type": "llama", "quantization_config": ` + q + `}` }
	for _, test := range []struct{ json, want string }{
		{
			quantised(`{"load_in_4bit": true, "quant_method": "bitsandbytes", "bnb_4bit_quant_type": "nf4"}`),
			"its weights are quantised (quantization_config: bitsandbytes, 4 bits), which cannot be trained; use the unquantised model",
		},
		{quantised(`{"load_in_8bit": true}`), "bitsandbytes, 8 bits"}, // before transformers 4.34 there was no quant_method
		{quantised(`{"quant_method": "gptq", "bits": 4, "group_size": 128}`), "gptq, 4 bits"},
		{quantised(`{"quant_method": "awq", "bits": 4}`), "awq, 4 bits"},
		{quantised(`{"quant_method": "fp8", "weight_block_size": [128, 128]}`), ": fp8)"},
		{quantised(`{"quant_method": "compressed-tensors", "format": "pack-quantized"}`), ": compressed-tensors)"},
		{quantised(`{"quant_method": "hqq"}`), ": hqq)"},
		{quantised(`{"modules": []}`), ": unknown)"},
		{quantised(`"int4"`), ": unknown)"},
		{`{"model_type": "llama", "quantization": {"group_size": 64, "bits": 4}}`, "(quantization: mlx, 4 bits)"},
		{`{"model_type": "llama", "compression_config": {"quant_method": "compressed-tensors"}}`, "compression_config: compressed-tensors"},
		{`{"model_type": "mixtral", "num_local_experts": 8}`, "model_type mixtral is a mixture of experts (num_local_experts is 8), " +
			"which cannot be trained; use a dense model, such as Mistral-7B"},
		{`{"model_type": "mixtral", "num_local_experts": 8, "quantization_config": {"quant_method": "awq"}}`, "mixture of experts"},
		{`{"model_type": "qwen2_moe"}`, "qwen2_moe is a mixture of experts, which"},
		{`{"model_type": "qwen3_moe", "num_experts": 128}`, "(num_experts is 128), which cannot be trained; use a dense model, such as a"},
		{`{"model_type": "deepseek_v3", "n_routed_experts": 256}`, "(n_routed_experts is 256)"},
		{`{"model_type": "gpt_oss", "num_local_experts": 32, "quantization_config": {"quant_method": "mxfp4"}}`, "such as one of model_type"},
		{`{"model_type": "ernie4_5_moe", "moe_num_experts": 64}`, "(moe_num_experts is 64)"},
		{`{"model_type": "llama", "num_experts": 4}`, "model_type llama is a mixture of experts (num_experts is 4)"},
		{`{"model_type": "new_vl", "text_config": {"num_experts": 16}}`, "(num_experts is 16)"},
	} {
		if _, err := ParseConfig([]byte(test.json)); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("ParseConfig(%s) = %v, want an error with %q", test.json, err, test.want)
		}
	}
	for _, harmless := range []string{
		`{"model_type": "llama", "quantization_config": null, "num_experts": 1}`,
		`{"model_type": "llama", "quantization_config": {}, "num_local_experts": null}`,
	} {
		if _, err := ParseConfig([]byte(harmless)); err != nil {
			t.Errorf("ParseConfig(%s) = %v", harmless, err)
		}
	}
}

package sweeptest

import (
	"fmt"

	"github.com/ranksweep/ranksweep/sweep/lora"
)

// GPT2Modules are the linear modules of a GPT-2 of the given depth and width, in the order of the model.
func GPT2Modules(layers, width int) []lora.Module {
	var modules []lora.Module
	for i := range layers {
		for _, m := range []lora.Module{
			{Name: "attn.c_attn", In: width, Out: 3 * width},
			{Name: "attn.c_proj", In: width, Out: width},
			{Name: "mlp.c_fc", In: width, Out: 4 * width},
			{Name: "mlp.c_proj", In: 4 * width, Out: width},
		} {
			m.Name = fmt.Sprintf("transformer.h.%d.%s", i, m.Name)
			modules = append(modules, m)
		}
	}
	return append(modules, lora.Module{Name: "lm_head", In: width, Out: 512, Head: true})
}

// GPT2Tensors is one block with biases, norms and a tied head.
func GPT2Tensors() []lora.Tensor {
	return []lora.Tensor{
		{Name: "transformer.wte.weight", Shape: []int{10, 4}},
		{Name: "transformer.h.0.ln_1.weight", Shape: []int{4}},
		{Name: "transformer.h.0.ln_1.bias", Shape: []int{4}},
		{Name: "transformer.h.0.attn.c_attn.weight", Shape: []int{4, 12}},
		{Name: "transformer.h.0.attn.c_attn.bias", Shape: []int{12}},
		{Name: "transformer.h.0.mlp.c_fc.weight", Shape: []int{4, 16}},
		{Name: "transformer.h.0.mlp.c_fc.bias", Shape: []int{16}},
	}
}

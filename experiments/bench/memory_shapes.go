package main

import (
	"fmt"
	"strings"
)

// memoryShape is a trial whose predicted peak is held against the measured one.
type memoryShape struct {
	Name   string
	Fit    bool     // the prediction's constants were chosen on it; the others only test them
	Model  string   // a reference, or the text of a config.json, whose weights are then random
	Length int      // tokens of a row
	Batch  int      // rows of a forward pass
	LoRA   string   // lines of the grid's lora: beyond rank and alpha
	Rank   string   // a number
	Train  []string // lines of the grid's train: beyond steps and batch_size
	Steps  int
}

const (
	smolLM2File = "models/SmolLM2-135M-Instruct.Q4_1.gguf"

	onAttention = "target_modules: [c_attn]"
	onQueries   = "target_modules: [q_proj, v_proj]"
	onAll       = "target_modules: all-linear"
	checkpoints = "gradient_checkpointing: true"
	inBFloat16  = "dtype: bfloat16"
)

func gpt2Config(layers, width, heads, vocab int) string {
	return fmt.Sprintf(`{"model_type": "gpt2", "n_layer": %d, "n_embd": %d, "n_head": %d, "vocab_size": %d, "n_positions": 1024,
		"resid_pdrop": 0, "embd_pdrop": 0, "attn_pdrop": 0}`, layers, width, heads, vocab)
}

func llamaConfig(layers, width, heads, keys, inner, vocab int, tied bool) string {
	return fmt.Sprintf(`{"model_type": "llama", "num_hidden_layers": %d, "hidden_size": %d, "num_attention_heads": %d,
		"num_key_value_heads": %d, "intermediate_size": %d, "vocab_size": %d, "max_position_embeddings": 4096,
		"rope_theta": 100000, "rms_norm_eps": 1e-5, "hidden_act": "silu", "tie_word_embeddings": %t}`,
		layers, width, heads, keys, inner, vocab, tied)
}

// memoryShapes differ in model, batch, length, dtype, targets, rank, checkpointing and accumulation.
func memoryShapes() []memoryShape {
	gpt2 := gpt2Config(12, 768, 12, 50257)
	return []memoryShape{
		{
			Name: "gopher 4x32", Fit: true, Model: "builtin:gopher",
			Batch: 4, Length: 32, LoRA: onAttention, Rank: "1", Steps: 6,
		},
		{
			Name: "gopher 32x64 all r64", Fit: true, Model: "builtin:gopher",
			Batch: 32, Length: 64, LoRA: onAll, Rank: "64", Steps: 6,
		},
		{
			Name: "gopher 16x128 checkpointing", Fit: true, Model: "builtin:gopher",
			Batch: 16, Length: 128, LoRA: onAll, Rank: "8", Train: []string{checkpoints}, Steps: 6,
		},
		{
			Name: "gpt2-small 2x256", Fit: true, Model: gpt2,
			Batch: 2, Length: 256, LoRA: onAttention, Rank: "8", Steps: 2,
		},
		{
			Name: "gpt2 6x384 8x128 bfloat16", Fit: true, Model: gpt2Config(6, 384, 6, 16000),
			Batch: 8, Length: 128, LoRA: onAll, Rank: "16", Train: []string{inBFloat16}, Steps: 2,
		},
		{
			Name: "gpt2 6x384 16x128", Fit: true, Model: gpt2Config(6, 384, 6, 16000),
			Batch: 16, Length: 128, LoRA: onAttention, Rank: "32", Steps: 2,
		},
		{
			Name: "llama 8x512 4x256", Fit: true, Model: llamaConfig(8, 512, 8, 4, 1408, 32000, true),
			Batch: 4, Length: 256, LoRA: onQueries, Rank: "16", Steps: 2,
		},
		{
			Name: "llama 8x512 8x256 checkpointing", Fit: true, Model: llamaConfig(8, 512, 8, 4, 1408, 32000, true),
			Batch: 8, Length: 256, LoRA: onAll, Rank: "8", Train: []string{checkpoints}, Steps: 2,
		},
		{
			Name: "SmolLM2 2x128", Fit: true, Model: smolLM2File,
			Batch: 2, Length: 128, LoRA: onQueries, Rank: "4", Steps: 2,
		},
		{
			Name: "llama 12x768 untied bfloat16", Fit: true, Model: llamaConfig(12, 768, 12, 4, 2048, 32000, false),
			Batch: 2, Length: 256, LoRA: onAll, Rank: "8", Train: []string{inBFloat16}, Steps: 2,
		},

		{
			Name: "gopher 8x64", Model: "builtin:gopher",
			Batch: 8, Length: 64, LoRA: onAttention, Rank: "4", Steps: 6,
		},
		{
			Name: "gopher 16x128 all", Model: "builtin:gopher",
			Batch: 16, Length: 128, LoRA: onAll, Rank: "32", Steps: 6,
		},
		{
			Name: "gopher 4x128 accumulation", Model: "builtin:gopher",
			Batch: 4, Length: 128, LoRA: onAll, Rank: "16", Train: []string{"gradient_accumulation_steps: 8"}, Steps: 6,
		},
		{
			Name: "gopher 8x64 bfloat16 DoRA", Model: "builtin:gopher",
			Batch: 8, Length: 64, LoRA: onAll + "\n  use_dora: true", Rank: "64", Train: []string{inBFloat16}, Steps: 6,
		},
		{
			Name: "gpt2-small 4x128", Model: gpt2,
			Batch: 4, Length: 128, LoRA: onAttention, Rank: "8", Steps: 2,
		},
		{
			Name: "gpt2-small 2x128 all bfloat16", Model: gpt2,
			Batch: 2, Length: 128, LoRA: onAll, Rank: "16", Train: []string{inBFloat16}, Steps: 2,
		},
		{
			Name: "gpt2-small 4x128 checkpointing", Model: gpt2,
			Batch: 4, Length: 128, LoRA: onAll, Rank: "64", Train: []string{checkpoints}, Steps: 2,
		},
		{
			Name: "llama 6x384 16x64", Model: llamaConfig(6, 384, 6, 2, 1024, 8000, true),
			Batch: 16, Length: 64, LoRA: onAll, Rank: "32", Steps: 2,
		},
		{
			Name: "llama 8x1024 1x256", Model: llamaConfig(8, 1024, 16, 8, 2816, 32000, false),
			Batch: 1, Length: 256, LoRA: onQueries, Rank: "8", Steps: 2,
		},
		{
			Name: "SmolLM2 4x128", Model: smolLM2File,
			Batch: 4, Length: 128, LoRA: onQueries, Rank: "8", Steps: 2,
		},
		{
			Name: "SmolLM2 2x256 all checkpointing", Model: smolLM2File,
			Batch: 2, Length: 256, LoRA: onAll, Rank: "16", Train: []string{checkpoints}, Steps: 2,
		},
		{
			Name: "SmolLM2 1x256 all bfloat16 dropout", Model: smolLM2File,
			Batch: 1, Length: 256, LoRA: onAll + "\n  dropout: 0.1", Rank: "128",
			Train: []string{inBFloat16, "gradient_accumulation_steps: 2"}, Steps: 2,
		},
	}
}

// grid is the trial as a grid of one rank and one seed. model and data are what its lines of that name say.
func (s memoryShape) grid(model, data string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "name: memory\nmodel: %s\ndata:\n%s  sequence_length: %d\n", model, data, s.Length)
	fmt.Fprintf(&b, "lora:\n  rank: [%s]\n  alpha: 16\n  %s\n", s.Rank, s.LoRA)
	fmt.Fprintf(&b, "train:\n  steps: %d\n  eval_steps: %d\n  batch_size: %d\n  learning_rate: 1.0e-4\n", s.Steps, (s.Steps+1)/2, s.Batch)
	for _, line := range s.Train {
		fmt.Fprintf(&b, "  %s\n", line)
	}
	b.WriteString("seeds: [0]\n")
	return b.String()
}

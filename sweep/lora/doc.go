// Package lora says what LoRA adds to a base model: which modules it adapts, at which rank and scale, and which tensors train.
//
// Spec is the part of PEFT's LoraConfig that ranksweep trains, under PEFT's names. Match selects modules by PEFT's rules, from
// target_modules, exclude_modules, layers_to_transform, layers_pattern and modules_to_save; Trainables lists the tensors, under the keys of
// PEFT's adapter files. Both are pure and know a model only by the names and shapes of its modules and tensors.
//
//	spec := lora.Spec{Rank: 8, Alpha: 16, TargetModules: lora.Targets{List: []string{"c_attn"}}}
//	targets, err := spec.Match(modules)                        // the modules to adapt
//	tensors, err := spec.Trainables(targets, modules, weights) // A and B of each, biases, modules to save
//
// The rules are PEFT 0.21's, held by testdata/peft_match.json: 408 answers of PEFT's own functions. Expressions are in Go's RE2
// syntax, which lacks look-around. The package imports nothing of ours.
package lora

// Package model is GPT-2, GPT-NeoX, OPT and the Llama family with LoRA as GoMLX graph functions, and the compiled programs that train and
// evaluate them.
//
// An architecture is a value: how its config.json reads, the pieces it is made of, from which its tensors and modules follow, and
// the graph function of one block. Each has a file and a row of the table in architecture.go; Mistral, Qwen2, Qwen3,
// Granite and SmolLM3 are Llama's block with other settings, Gemma, OLMo 2 and Phi-3 other blocks of Llama's parts, each a short file.
//
// A Program holds a frozen base on the device once and three things that change: the adapter and AdamW's two moments, each
// one flat vector that every trainable tensor is a slice of. That keeps an optimiser step at two executions (gradient,
// update), a handful of buffers and one read by the host:
//
//	p, err := model.New(backend, config, base, adapter, model.Options{...})
//	err = p.Compile(ctx)                      // before step 1: the compiler says what the step will need
//	r, err := p.Step(1, []model.Batch{b}, lr) // r.Loss, r.GradNorm: of the batch before its update
//	s, err := p.Score(validation)             // dropout off, nats summed over the supervised tokens
//
// Next makes a Program the next trial's: base and compiled programs stay. What a trial may choose without other programs is their input:
// ranks within a bucket (lora.Bucket), scalings, the rate of dropout, the optimiser's numbers.
//
// The mathematics are PEFT's for LoRA (input dropout, alpha/r or alpha/sqrt(r), Conv1D weights [in, out], A [r, in],
// B [out, r]), torch's for AdamW and clipping, and Hugging Face's for the loss: a row of T ids is T-1 predictions, labels of
// -100 do not count. The base model's own dropout (attn_pdrop and friends) is off: only LoRA's input is dropped.
//
// Frozen weights may stay quantised (blocks.go): they become numbers beside each product.
//
// What trains is a list of named tensors (lora.Spec.Trainables): LoRA's A and B on linear modules, embeddings and the output head,
// DoRA's magnitudes, biases, and modules in full. Those that replace a tensor of the base take its place in the graph. Two losses serve
// them: for a frozen head the gradient of the hidden states alone is finished chunk by chunk (loss.go), for a head that trains its own
// too (head.go). PiSSA's start is taken away from the base inside the graph, and Export turns the result into an adapter for the base
// itself.
//
// Shapes in comments: B batch, T sequence, C embedding, H heads, K heads of keys and values, D head dimension, V vocabulary, n
// rows, r rank.
//
// Random numbers are counter-based, so that they depend on what they are for and on nothing else: row i of A on (seed,
// module, i); a dropout mask on (seed, step, micro-batch, module). Every rank of a ladder sees the same ones, and so does a
// resumed trial.
//
// Graph building panics by GoMLX's convention; those panics become errors in build.
package model

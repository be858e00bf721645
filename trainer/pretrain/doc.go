// Package pretrain makes a base model from scratch: tokenizer, weights and configuration, in Hugging Face's layout.
//
// It exists for builtin:gopher and builtin:gopher-small, the models that are part of the program. Everything is seeded: the same recipe on
// the same Go distribution and plug-in gives the same files.
//
//	tokenizer → WriteTokenizer → corpus.Prepare → Train → WriteModel
//
// experiments/basemodel holds the recipe and wires the steps; experiments/LOG.md tells what came out.
package pretrain

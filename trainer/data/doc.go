// Package data turns a corpus into rows of token ids, once, and hands them out in an order that can be resumed.
//
// Words:
//
//   - document: one text file, one row of a table (jsonl, csv, tsv, parquet), or one source file of a built-in data set.
//   - row: SequenceLength ids and as many labels; a label of −100 is not scored (Hugging Face's convention).
//   - supervised token: a label other than −100 after the first position; the first id of a row is never predicted.
//   - segment: the part of a packed row that is one document's. Nothing leaks from one into another: attention stays within a
//     segment, positions begin anew, and its first id is not predicted.
//
// What a document is made of decides what is scored, as in Hugging Face's SFTTrainer: text altogether; of prompt and completion
// the completion; of chat messages, which the model's own template renders, the assistant's turns; and input_ids with their
// labels as they are. Text and completions end with the tokenizer's end-of-text token.
//
// Text is packed: documents are joined and cut into rows. A document that reaches beyond a row goes on in the next one as
// a segment of its own, and what is left at the end becomes one padded row, unless it is a single token, which predicts nothing. Without packing, and for every other
// form, a document is one row, cut or padded.
//
// Files are read as streams and need not fit memory, but for text files, which are one document each. A record, a page and the
// metadata of a file are bounded before anything is made room for, so that a damaged or hostile file is an error.
//
// The main path: LoadTokenizer → Prepare (tokenises into a cache folder named by its fingerprint) → Open → Sampler.
//
//	prepared, err := data.Prepare(ctx, cacheDir, data.Source{Files: modelFiles, Model: model, Spec: spec}, progress)
//	corpus, err := data.Open(prepared.Info.Path)
//	sampler := data.NewSampler(corpus.Train().Len(), seed, spec.Shuffle)
//	row := corpus.Train().Row(sampler.Row(k)) // the k-th row ever drawn
//
// A conversation becomes text by the model's own chat template: LoadChatTemplate, Render. Tokenizer and template come from
// tokenizer.json and its neighbours or, for a model that is one GGUF file, from there.
//
// Two processes may prepare the same corpus at once: one does, the other waits. A crash leaves a folder named
// <fingerprint>.tmp, which the next Prepare clears away.
package data

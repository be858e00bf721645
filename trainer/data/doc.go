// Package data turns a corpus into rows of token ids, once, and hands them out in an order that can be resumed.
//
// Words:
//
//   - document: one text file, one row of a pre-tokenised file, or one source file of a built-in data set.
//   - row: SequenceLength ids and as many labels; a label of −100 is not scored (Hugging Face's convention).
//   - supervised token: a label other than −100 after the first position; the first id of a row is never predicted.
//
// Text is packed: documents are joined with the tokenizer's end-of-text token between them and cut into rows. No token is
// lost: what is left at the end becomes one padded row. Without packing a document is one row, cut or padded.
// Pre-tokenised rows (jsonl with input_ids and optional labels) are used as they are, one row per line.
//
// The main path: LoadTokenizer → Prepare (tokenises into a cache folder named by its fingerprint) → Open → Sampler.
//
//	prepared, err := data.Prepare(ctx, cacheDir, modelFiles, model, spec, progress)
//	corpus, err := data.Open(prepared.Info.Path)
//	sampler := data.NewSampler(corpus.Train().Len(), seed, spec.Shuffle)
//	ids, labels := corpus.Train().Row(sampler.Row(k)) // the k-th row ever drawn
//
// Two processes may prepare the same corpus at once: one does, the other waits. A crash leaves a folder named
// <fingerprint>.tmp, which the next Prepare clears away.
package data

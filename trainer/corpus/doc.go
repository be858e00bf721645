// Package corpus turns data files into rows of token ids, once, and hands them out in an order that can be resumed.
//
// Words:
//
//   - document: one text file, one row of a table or one source file of a built-in data set (package records).
//   - row: SequenceLength ids and as many labels; a label of −100 is not scored (Hugging Face's convention).
//   - supervised token: a label other than −100 after the first position; the first id of a row is never predicted.
//   - segment: the part of a packed row that is one document's. Nothing leaks from one into another: attention stays within a
//     segment, positions begin anew, and its first id is not predicted.
//
// What a document is made of decides what is scored, as in Hugging Face's SFTTrainer: text altogether; of prompt and completion
// the completion; of chat messages, which the model's own template renders, the assistant's turns (package chat); and input_ids with
// their labels as they are. Text and completions end with the tokenizer's end-of-text token.
//
// Text is packed: documents are joined and cut into rows. A document that reaches beyond a row goes on in the next one as a segment of
// its own, and what is left at the end becomes one padded row, unless it is a single token, which predicts nothing. Without packing,
// and for every other form, a document is one row, cut or padded.
//
// The main path: Prepare (tokenises into a cache folder named by its fingerprint) → Open → Batches, which a Sampler orders.
//
//	prepared, err := corpus.Prepare(ctx, cacheDir, corpus.Source{Files: modelFiles, Model: model, Spec: spec}, progress)
//	c, err := corpus.Open(prepared.Info.Path)
//	batches := corpus.Batches{Corpus: c, Sampler: corpus.NewSampler(c.Train().Len(), seed, spec.Shuffle), Size: 8, Accumulation: 1}
//	batch := batches.Step(1)[0]
//
// Two processes may prepare the same corpus at once: one does, the other waits. A crash leaves a folder named
// <fingerprint>.tmp, which the next Prepare clears away.
package corpus

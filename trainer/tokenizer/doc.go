// Package tokenizer turns text into token ids and back, to the id as the model's own tokenizer does: BPE, byte-level (GPT-2, Llama 3,
// Qwen) or with byte fallback (Llama 2).
//
// A tokenizer is read from tokenizer.json and its neighbours or, for a model that is one GGUF file, from there. One that this package
// would get wrong is refused. The steps, each in a file of its own:
//
//   - added: tokens that are looked for in the text itself, such as <|endoftext|>
//   - normalize: changes to the text, such as NFC
//   - pretokenize, patterns, regex: the text is split into pieces, mostly words
//   - bpe, merge: a piece becomes ids
//   - file: what is put before and after every text (EncodeSpecial)
//   - decode: ids become text
//
// config reads tokenizer_config.json: the special tokens by name, which chat templates write, and the template itself, which package
// chat reads. Train makes a new tokenizer from texts.
//
//	tok, err := tokenizer.Load(modelFiles)
//	ids := tok.Encode("the sea")
//	text := tok.Decode(ids)
package tokenizer

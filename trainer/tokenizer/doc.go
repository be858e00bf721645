// Package tokenizer turns text into token ids and back, to the id as the model's own tokenizer does: BPE, byte-level (GPT-2, Llama 3,
// Qwen) or with byte fallback (Llama 2, Gemma), and Unigram (T5).
//
// A tokenizer is read from tokenizer.json and its neighbours, from vocab.json and merges.txt or, for a model that is one GGUF file, from
// there. One that this package would get wrong is refused. The steps, each in a file of its own:
//
//   - added: tokens that are looked for in the text itself, such as <|endoftext|>
//   - normalize, precompiled: changes to the text, such as NFC
//   - pretokenize, patterns, regex: the text is split into pieces, mostly words
//   - bpe, merge, unigram: a piece becomes ids
//   - file: what is put before and after every text (EncodeSpecial)
//   - decode: ids become text
//
// config and named read tokenizer_config.json and its older neighbours: the special tokens by name, which chat templates write, and the
// template itself, which package chat reads. vocabmerges reads what there was before tokenizer.json. Train makes a tokenizer from texts.
//
//	tok, err := tokenizer.Load(modelFiles)
//	ids := tok.Encode("the sea")
//	text := tok.Decode(ids)
package tokenizer

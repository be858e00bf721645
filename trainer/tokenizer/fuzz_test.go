package tokenizer

import (
	"os"
	"testing"
	"testing/fstest"
	"unicode/utf8"
)

// FuzzTokenizerJSON: whatever a file says, loading it ends with a tokenizer that works or with an error.
func FuzzTokenizerJSON(f *testing.F) {
	for _, seed := range []string{
		`{"added_tokens": [{"id": 3, "content": "<x>", "lstrip": true, "single_word": true, "normalized": true}],
		"normalizer": {"type": "Sequence", "normalizers": [{"type": "NFC"},
			{"type": "Prepend", "prepend": "_"}, {"type": "Replace", "pattern": {"String": " "}, "content": "_"}]},
			"pre_tokenizer": {"type": "Metaspace", "replacement": "_"},
			"post_processor": {"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "a"}}, {"Sequence": {"id": "A"}}],
			"special_tokens": {"a": {"ids": [0]}}},
			"decoder": {"type": "Sequence", "decoders": [{"type": "ByteFallback"}, {"type": "Fuse"}, {"type": "Strip", "content": "_", "start": 1}]},
			"model": {"type": "BPE", "byte_fallback": true, "unk_token": "a", "vocab": {"a": 0, "b": 1, "ab": 2}, "merges": ["a b"]}}`,
		`{"pre_tokenizer": {"type": "Sequence", "pretokenizers": [{"type": "Split", "pattern": {"Regex": "\\d+|(?=a)b"},
		"behavior": "MergedWithNext"}, {"type": "Digits"},
			{"type": "ByteLevel", "add_prefix_space": true}]}, "decoder": {"type": "ByteLevel"}, "model": {"ignore_merges": true,
			"vocab": {"a": 0, "b": 9}, "merges": [["a", "b"]]}}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		tok, err := Load(fstest.MapFS{"tokenizer.json": {Data: body}})
		if err != nil {
			return
		}
		if tok.Size() > maxTokens {
			t.Errorf("Size() = %d", tok.Size())
		}
		for _, id := range tok.EncodeSpecial("a ab 12é<x> _b") {
			if id >= maxTokens {
				t.Errorf("id %d", id)
			}
		}
		_ = tok.DecodeSkipSpecial([]int32{0, 1, 2, 3, -1})
	})
}

// FuzzEncodeDecode: byte-level tokenizers lose nothing, whatever the text.
func FuzzEncodeDecode(f *testing.F) {
	var tokenizers []*Tokenizer
	for _, family := range []string{"gpt2", "llama3", "smollm2"} { // qwen2's changes the text to NFC
		tokenizers = append(tokenizers, loadFamily(f, family))
	}
	long, err := os.ReadFile("testdata/gpt2/long_text.txt")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(long[:2000]))
	f.Add("<|endoftext|> it's 12345 \r\n\n  é\u0301😀\u00a0\u3000'LL'ſ")
	f.Fuzz(func(t *testing.T, text string) {
		if !utf8.ValidString(text) {
			t.Skip("not text")
		}
		for _, tok := range tokenizers {
			if got := tok.Decode(tok.Encode(text)); got != text {
				t.Errorf("Decode(Encode(%q)) = %q", text, got)
			}
		}
	})
}

package tokenizer

import (
	"encoding/json"
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
		`{"normalizer": {"type": "Sequence", "normalizers": [{"type": "StripAccents"}, {"type": "Precompiled",
			"precompiled_charsmap": "CAAAAAAEAAAAAAAAYWIAYwA="}]}, "pre_tokenizer": {"type": "Metaspace", "replacement": "_"},
			"decoder": {"type": "Metaspace", "replacement": "_"}, "model": {"type": "Unigram", "unk_id": 0, "byte_fallback": true,
			"vocab": [["a", -1], ["b", -2.5], ["ab", -1e300], ["<0x31>", -4], ["_", 0]]}}`,
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

// FuzzCharsmap: whatever a precompiled_charsmap holds, it is refused or replaces text with text.
func FuzzCharsmap(f *testing.F) {
	var golden tokenizerCases
	readZipped(f, "testdata/unigram/golden.json.gz", &golden)
	for _, c := range golden.Cases {
		var file tokenizerFile
		if err := json.Unmarshal(c.Tokenizer, &file); err != nil {
			f.Fatal(err)
		}
		if n := file.Normalizer; n != nil && n.Type == "Precompiled" {
			f.Add(n.Charsmap, "e\u0301 ﬁ \u1100\u1161")
		}
	}
	f.Add([]byte("\x04\x00\x00\x00\x00\x04\x00\x00ab\x00"), "a")
	f.Fuzz(func(t *testing.T, blob []byte, text string) {
		m, err := parseCharsmap(blob)
		if err != nil || !utf8.ValidString(text) {
			return
		}
		got := m.normalize(text)
		if !utf8.ValidString(got) || len(got) > len(text)*max(1, m.longest()) {
			t.Errorf("normalize(%q) = %q, with replacements of at most %d bytes", text, got, m.longest())
		}
	})
}

package tokenizer

import (
	"encoding/json"
	"maps"
	"slices"
	"testing"
	"testing/fstest"
)

// TestNamedTokensAgreeWithTransformers: tokens that only the files beside tokenizer.json name; testdata/named/golden.py makes the file.
func TestNamedTokensAgreeWithTransformers(t *testing.T) {
	t.Parallel()
	var golden struct {
		Texts []string                   `json:"texts"`
		Bases map[string]json.RawMessage `json:"bases"`
		Cases []struct {
			Name    string                     `json:"name"`
			Base    string                     `json:"base"`
			Files   map[string]json.RawMessage `json:"files"`
			Named   map[string]string          `json:"named"`
			EOS     *int32                     `json:"eos"`
			BOS     *int32                     `json:"bos"`
			IDs     [][]int32                  `json:"ids"`
			Decoded []string                   `json:"decoded"`
		} `json:"cases"`
	}
	readGolden(t, "testdata/named/golden.json", &golden)
	for _, c := range golden.Cases {
		files := fstest.MapFS{File: {Data: golden.Bases[c.Base]}}
		for name, body := range c.Files {
			files[name] = &fstest.MapFile{Data: body}
		}
		tok, err := Load(files)
		if err != nil {
			t.Errorf("%s: %v", c.Name, err)
			continue
		}
		config, err := ReadConfig(files)
		if err != nil {
			t.Fatal(err)
		}
		if got := config.SpecialTokens(); !maps.Equal(got, c.Named) {
			t.Errorf("%s: SpecialTokens = %v, want %v", c.Name, got, c.Named)
		}
		for name, want := range map[string]*int32{"EOS": c.EOS, "BOS": c.BOS} {
			get := map[string]func() (int32, bool){"EOS": tok.EOS, "BOS": tok.BOS}[name]
			if got, ok := get(); ok != (want != nil) || ok && got != *want {
				t.Errorf("%s: %s = %d, %v, want %v", c.Name, name, got, ok, want)
			}
		}
		for i, text := range golden.Texts {
			got := tok.Encode(text)
			if !slices.Equal(got, c.IDs[i]) {
				t.Errorf("%s: Encode(%q) = %q, want %q", c.Name, text, spelt(tok, got), spelt(tok, c.IDs[i]))
			}
			if got := tok.DecodeSkipSpecial(c.IDs[i]); got != c.Decoded[i] {
				t.Errorf("%s: DecodeSkipSpecial(%v) = %q, want %q", c.Name, c.IDs[i], got, c.Decoded[i])
			}
		}
	}
}

// TestNamesThatAddNothingKeepTheFingerprint: trials trained before these files were read stay reusable.
func TestNamesThatAddNothingKeepTheFingerprint(t *testing.T) {
	t.Parallel()
	const base = `{"added_tokens": [{"id": 1, "content": "b"}], "decoder": {"type": "Fuse"},
		"model": {"type": "BPE", "vocab": {"a": 0, "b": 1}}}`
	load := func(config string) string {
		tok, err := Load(fstest.MapFS{File: {Data: []byte(base)}, ConfigFile: {Data: []byte(config)}})
		if err != nil {
			t.Fatal(err)
		}
		return tok.Fingerprint()
	}
	before := load(`{}`)
	if got := load(`{"pad_token": "b", "added_tokens_decoder": {"1": {"content": "b"}}}`); got != before {
		t.Error("a token that tokenizer.json has too changed the fingerprint")
	}
	if got := load(`{"pad_token": "a"}`); got == before {
		t.Error("a token that is now looked for in texts has the same fingerprint")
	}
}

// FuzzNames: whatever the files beside tokenizer.json hold, it loads with tokens that it knows, or they are refused.
func FuzzNames(f *testing.F) {
	f.Add([]byte(`{"eos_token": {"content": "</s>", "lstrip": true}, "img_token": "<i>", "use_token": false,
		"added_tokens_decoder": {"9": {"content": "x"}}}`), []byte(`{}`), []byte(`{}`))
	f.Add([]byte(`{"extra_special_tokens": {"a_token": "b"}}`),
		[]byte(`{"eos_token": "c", "additional_special_tokens": ["d", {"content": "e"}]}`), []byte(`{"f": 7, "g": -1}`))
	base := []byte(`{"added_tokens": [{"id": 1, "content": "b"}], "decoder": {"type": "Fuse"},
		"model": {"type": "BPE", "vocab": {"a": 0, "b": 1}}}`)
	f.Fuzz(func(t *testing.T, config, specials, added []byte) {
		tok, err := Load(fstest.MapFS{
			File: {Data: base}, ConfigFile: {Data: config}, SpecialTokensFile: {Data: specials}, AddedTokensFile: {Data: added},
		})
		if err != nil {
			return
		}
		for _, id := range tok.EncodeSpecial("a b c d e </s> <i> x") {
			if _, ok := tok.Token(id); !ok {
				t.Errorf("id %d is unknown", id)
			}
		}
	})
}

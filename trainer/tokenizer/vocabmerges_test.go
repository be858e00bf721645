package tokenizer

import (
	"encoding/json"
	"errors"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/ranksweep/ranksweep/sweep/trial"
)

// vocabCases are folders without a tokenizer.json; testdata/vocab/golden.py makes the file.
type vocabCases struct {
	Vocab  json.RawMessage `json:"vocab"`
	Merges string          `json:"merges"`
	Texts  []string        `json:"texts"`
	Cases  []struct {
		Name    string                     `json:"name"`
		Files   map[string]json.RawMessage `json:"files"`
		Named   map[string]string          `json:"named"`
		EOS     int32                      `json:"eos"`
		IDs     [][]int32                  `json:"ids"`
		Special [][]int32                  `json:"special"`
		Decoded []string                   `json:"decoded"`
	} `json:"cases"`
}

func (g vocabCases) files(more map[string]json.RawMessage) fstest.MapFS {
	files := fstest.MapFS{VocabFile: {Data: g.Vocab}, MergesFile: {Data: []byte(g.Merges)}}
	for name, body := range more {
		files[name] = &fstest.MapFile{Data: body}
	}
	return files
}

func TestVocabAndMergesAgreeWithTransformers(t *testing.T) {
	t.Parallel()
	var golden vocabCases
	readGolden(t, "testdata/vocab/golden.json", &golden)
	fingerprints := map[string]string{}
	for _, c := range golden.Cases {
		files := golden.files(c.Files)
		tok, err := Load(files)
		if err != nil {
			t.Errorf("%s: %v", c.Name, err)
			continue
		}
		if other, ok := fingerprints[tok.Fingerprint()]; ok {
			t.Errorf("%s has the fingerprint of %s", c.Name, other)
		}
		fingerprints[tok.Fingerprint()] = c.Name
		if config, err := ReadConfig(files); err != nil || !maps.Equal(config.SpecialTokens(), c.Named) {
			t.Errorf("%s: SpecialTokens = %v, %v, want %v", c.Name, config.SpecialTokens(), err, c.Named)
		}
		if got, _ := tok.EOS(); got != c.EOS {
			t.Errorf("%s: EOS = %d, want %d", c.Name, got, c.EOS)
		}
		for i, text := range golden.Texts {
			if got := tok.Encode(text); !slices.Equal(got, c.IDs[i]) {
				t.Errorf("%s: Encode(%q) = %q, want %q", c.Name, text, spelt(tok, got), spelt(tok, c.IDs[i]))
			}
			if got := tok.EncodeSpecial(text); !slices.Equal(got, c.Special[i]) {
				t.Errorf("%s: EncodeSpecial(%q) = %v, want %v", c.Name, text, got, c.Special[i])
			}
			if got := tok.Decode(c.IDs[i]); got != c.Decoded[i] {
				t.Errorf("%s: Decode(%v) = %q, want %q", c.Name, c.IDs[i], got, c.Decoded[i])
			}
		}
	}
}

func TestFoldersWithoutTokenizerJSON(t *testing.T) {
	t.Parallel()
	var golden vocabCases
	readGolden(t, "testdata/vocab/golden.json", &golden)
	with := func(name, body string) fstest.MapFS {
		return golden.files(map[string]json.RawMessage{"config.json": json.RawMessage(`{"model_type": "gpt2"}`), name: json.RawMessage(body)})
	}
	for name, c := range map[string]struct {
		files fstest.MapFS
		want  string
	}{
		"sentencepiece": {
			fstest.MapFS{"tokenizer.model": {}, "config.json": {}},
			"only in tokenizer.model, which cannot be read; make a tokenizer.json: python",
		},
		"tekken":  {fstest.MapFS{"tekken.json": {}, "config.json": {}}, "only in tekken.json"},
		"half":    {fstest.MapFS{"vocab.json": {}, "config.json": {}}, "only in vocab.json"},
		"nothing": {fstest.MapFS{"config.json": {}}, "the model has no tokenizer.json"},
		"unknown class": {
			with("tokenizer_config.json", `{"tokenizer_class": "RobertaTokenizerFast"}`),
			`tokenizer_class "RobertaTokenizer" is not supported`,
		},
		"unknown model":   {with("config.json", `{"model_type": "odd"}`), "does not say which tokenizer_class"},
		"class no text":   {with("tokenizer_config.json", `{"tokenizer_class": 7}`), "tokenizer_class"},
		"no merges":       {with("merges.txt", "#version: 0.2\n"), "merges.txt holds no merges"},
		"broken merges":   {with("merges.txt", "#version: 0.2\na b\nabc\n"), `merges.txt, line 3: merge "abc"`},
		"strange merges":  {with("merges.txt", "a zzzz\n"), "not in the vocabulary"},
		"flag no boolean": {with("tokenizer_config.json", `{"add_bos_token": "yes"}`), "add_bos_token"},
		"vocab no object": {with("vocab.json", "[]"), "vocab.json"},
	} {
		_, err := Load(c.files)
		if !errors.Is(err, trial.ErrInput) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: Load = %v, want an input error with %q", name, err, c.want)
		}
		if name == "nothing" && !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: Load = %v, want ErrNotExist", name, err)
		}
	}
}

// FuzzVocabMerges: whatever the two files hold, they are refused or make a tokenizer that gives ids it knows.
func FuzzVocabMerges(f *testing.F) {
	f.Add([]byte(`{"a": 0, "b": 1, "ab": 2}`), []byte("#version: 0.2\r\na b\n"), []byte(`{"tokenizer_class": "GPT2Tokenizer"}`))
	f.Add([]byte(`{"a": 0, "a": 5}`), []byte("a a"), []byte(`{"tokenizer_class": "Qwen2Tokenizer", "add_bos_token": true, "bos_token": "a"}`))
	f.Fuzz(func(t *testing.T, vocab, merges, config []byte) {
		tok, err := Load(fstest.MapFS{VocabFile: {Data: vocab}, MergesFile: {Data: merges}, ConfigFile: {Data: config}})
		if err != nil {
			if !errors.Is(err, trial.ErrInput) {
				t.Fatalf("Load = %v, want an input error", err)
			}
			return
		}
		for _, id := range tok.EncodeSpecial("a ab<|endoftext|> b") {
			if _, ok := tok.Token(id); !ok {
				t.Errorf("id %d is unknown", id)
			}
		}
	})
}

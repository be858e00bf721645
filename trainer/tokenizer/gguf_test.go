package tokenizer

import (
	"encoding/json"
	"errors"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/ranksweep/ranksweep/sweep/trial"
	"github.com/ranksweep/ranksweep/trainer/weights/weightstest"
)

// The same tokenizers as from tokenizer.json, said as a GGUF file says it.
func TestGGUFTokenizersAgreeWithHuggingFace(t *testing.T) {
	t.Parallel()
	long, err := os.ReadFile("testdata/gpt2/long_text.txt")
	if err != nil {
		t.Fatal(err)
	}
	for family, pre := range map[string]string{"gpt2": "gpt-2", "llama3": "llama-bpe", "qwen2": "qwen2", "smollm2": "smollm"} {
		t.Run(family, func(t *testing.T) {
			t.Parallel()
			metadata := ggufOf(t, family)
			metadata["tokenizer.ggml.pre"] = pre
			tok, err := Load(fstest.MapFS{"model.gguf": {Data: weightstest.WriteGGUF(t, metadata)}})
			if err != nil {
				t.Fatal(err)
			}
			checkGolden(t, tok, readGoldenTokens(t, family), string(long))
		})
	}
}

// SentencePiece's own ids; testdata/sentencepiece/golden.py makes the file.
func TestGGUFSentencePieceAgreesWithSentencePiece(t *testing.T) {
	t.Parallel()
	var golden struct {
		BOS     uint32    `json:"bos"`
		EOS     uint32    `json:"eos"`
		Unknown uint32    `json:"unknown"`
		Tokens  []string  `json:"tokens"`
		Scores  []float32 `json:"scores"`
		Types   []int32   `json:"types"`
		IDs     [][]int32 `json:"ids"`
		Decoded []string  `json:"decoded"`
	}
	readGolden(t, "testdata/sentencepiece/golden.json", &golden)
	metadata := map[string]any{
		"tokenizer.ggml.model": "llama", "tokenizer.ggml.tokens": golden.Tokens, "tokenizer.ggml.scores": golden.Scores,
		"tokenizer.ggml.token_type":   golden.Types,
		"tokenizer.ggml.bos_token_id": golden.BOS, "tokenizer.ggml.eos_token_id": golden.EOS, "tokenizer.ggml.unknown_token_id": golden.Unknown,
	}
	tok, err := Load(fstest.MapFS{"model.gguf": {Data: weightstest.WriteGGUF(t, metadata)}})
	if err != nil {
		t.Fatal(err)
	}
	for i, c := range readGoldenTokens(t, "llama2").Tests {
		if golden.IDs[i] == nil {
			continue
		}
		if got := tok.Encode(c.Text); !slices.Equal(got, golden.IDs[i]) {
			t.Errorf("Encode(%q) = %q, want %q", c.Text, spelt(tok, got), spelt(tok, golden.IDs[i]))
		}
		if got := tok.Decode(golden.IDs[i]); got != golden.Decoded[i] {
			t.Errorf("Decode(%v) = %q, want %q", golden.IDs[i], got, golden.Decoded[i])
		}
	}
	if got, want := tok.EncodeSpecial("a</s>b"), []int32{int32(golden.BOS), 2}; got[0] != want[0] || !slices.Contains(got, want[1]) {
		t.Errorf("EncodeSpecial(a</s>b) = %v, want %d first and %d within", got, want[0], want[1])
	}
	if id, ok := tok.EOS(); !ok || id != int32(golden.EOS) {
		t.Errorf("EOS() = %d, %v", id, ok)
	}
}

func TestSmolLM2Tokenizer(t *testing.T) {
	t.Parallel()
	const folder, name = "../../models", "SmolLM2-135M-Instruct.Q4_1.gguf"
	files := os.DirFS(folder)
	if _, err := fs.Stat(files, name); err != nil {
		t.Skipf("no %s/%s: fetch it by make smollm2", folder, name)
	}
	tok, err := Load(files)
	if err != nil {
		t.Fatal(err)
	}
	var golden struct {
		Tests []struct {
			Text    string  `json:"text"`
			IDs     []int32 `json:"ids"`
			Decoded string  `json:"decoded"`
		} `json:"tests"`
	}
	readGolden(t, "testdata/smollm2/gguf_tests.json", &golden)
	if len(golden.Tests) != 64 {
		t.Fatalf("%d tests, want 64", len(golden.Tests))
	}
	for _, c := range golden.Tests {
		if got := tok.EncodeSpecial(c.Text); !slices.Equal(got, c.IDs) { // it adds none
			t.Errorf("EncodeSpecial(%q) = %v, want %v", c.Text, got, c.IDs)
		}
		if got := tok.Decode(c.IDs); got != c.Decoded {
			t.Errorf("Decode(%v) = %q, want %q", c.IDs, got, c.Decoded)
		}
	}
	bos, _ := tok.BOS()
	eos, _ := tok.EOS()
	if bos != 1 || eos != 2 || tok.Size() != 49152 {
		t.Errorf("BOS %d, EOS %d, Size %d, want 1, 2, 49152", bos, eos, tok.Size())
	}
}

func TestGGUFTokenizerRefusesWhatItWouldGetWrong(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		change map[string]any
		want   string
	}{
		"no tokens":      {map[string]any{"tokenizer.ggml.tokens": nil}, "tokenizer.ggml.tokens is missing"},
		"tokens of ints": {map[string]any{"tokenizer.ggml.tokens": []int32{1}}, "[]int32"},
		"another model":  {map[string]any{"tokenizer.ggml.model": "bert"}, "bert"},
		"another splitter": {
			map[string]any{"tokenizer.ggml.pre": "viking"},
			`tokenizer.ggml.pre "viking" is not supported: there are codeshell, command-r`,
		},
		"no splitter":    {map[string]any{"tokenizer.ggml.pre": nil}, "tokenizer.ggml.pre"},
		"broken merges":  {map[string]any{"tokenizer.ggml.merges": []string{"abc"}}, "abc"},
		"strange merges": {map[string]any{"tokenizer.ggml.merges": []string{"a zzzzz"}}, "not in the vocabulary"},
		"too few types":  {map[string]any{"tokenizer.ggml.token_type": []int32{1}}, "1 entries"},
		"no scores":      {map[string]any{"tokenizer.ggml.model": "llama"}, "tokenizer.ggml.scores"},
		"bos without id": {
			map[string]any{"tokenizer.ggml.add_bos_token": true, "tokenizer.ggml.bos_token_id": uint32(1 << 31)},
			"bos_token_id",
		},
	}
	metadata := ggufOf(t, "smollm2")
	metadata["tokenizer.ggml.pre"] = "smollm"
	for name, c := range cases {
		changed := maps.Clone(metadata)
		for key, v := range c.change {
			if changed[key] = v; v == nil {
				delete(changed, key)
			}
		}
		_, err := Load(fstest.MapFS{"model.gguf": {Data: weightstest.WriteGGUF(t, changed)}})
		if !errors.Is(err, trial.ErrInput) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: Load = %v, want an input error that names %s", name, err, c.want)
		}
	}
	if _, err := Load(fstest.MapFS{"model.gguf": {Data: []byte("GGUF")}}); !errors.Is(err, trial.ErrInput) {
		t.Errorf("a broken file: Load = %v, want an input error", err)
	}
}

func TestGGUFFingerprint(t *testing.T) {
	t.Parallel()
	metadata := ggufMetadata(ggufOf(t, "smollm2"))
	before := metadata.fingerprint()
	metadata["tokenizer.chat_template"], metadata["general.name"] = "x", "y"
	if got := metadata.fingerprint(); got != before {
		t.Error("the chat template or the model's name changed the tokenizer's fingerprint")
	}
	metadata["tokenizer.ggml.eos_token_id"] = uint32(5)
	if got := metadata.fingerprint(); got == before {
		t.Error("another end-of-text token has the same fingerprint")
	}
}

// ggufOf says a family's tokenizer.json as a GGUF file does; tokenizer.ggml.pre is left to the caller.
func ggufOf(t *testing.T, family string) map[string]any {
	t.Helper()
	var file tokenizerFile
	var model modelFile
	readGolden(t, "testdata/"+family+"/tokenizer.json", &file)
	if err := json.Unmarshal(file.Model, &model); err != nil {
		t.Fatal(err)
	}
	size := len(model.Vocab)
	for _, a := range file.AddedTokens {
		size = max(size, int(a.ID)+1)
	}
	tokens, types, merges := make([]string, size), make([]int32, size), make([]string, len(model.Merges))
	for text, id := range model.Vocab {
		tokens[id], types[id] = text, 1
	}
	for _, a := range file.AddedTokens {
		tokens[a.ID], types[a.ID] = a.Content, ggufControl
	}
	for i, m := range model.Merges {
		merges[i] = m[0] + " " + m[1]
	}
	metadata := map[string]any{
		"tokenizer.ggml.model": "gpt2", "tokenizer.ggml.tokens": tokens, "tokenizer.ggml.token_type": types, "tokenizer.ggml.merges": merges,
		"tokenizer.ggml.bos_token_id": uint32(1), "tokenizer.ggml.eos_token_id": uint32(2),
	}
	if family == "llama3" {
		metadata["tokenizer.ggml.bos_token_id"] = uint32(2002) // it is added without saying so
	}
	return metadata
}

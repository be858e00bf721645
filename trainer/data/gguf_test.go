package data

import (
	"bytes"
	"encoding/binary"
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
			tok, err := LoadTokenizer(fstest.MapFS{"model.gguf": {Data: writeGGUF(t, metadata)}})
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
		"tokenizer.ggml.model": "llama", "tokenizer.ggml.tokens": golden.Tokens, "tokenizer.ggml.scores": golden.Scores, "tokenizer.ggml.token_type": golden.Types,
		"tokenizer.ggml.bos_token_id": golden.BOS, "tokenizer.ggml.eos_token_id": golden.EOS, "tokenizer.ggml.unknown_token_id": golden.Unknown,
	}
	tok, err := LoadTokenizer(fstest.MapFS{"model.gguf": {Data: writeGGUF(t, metadata)}})
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
	tok, err := LoadTokenizer(files)
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
	chat, err := LoadChatTemplate(files)
	if err != nil {
		t.Fatal(err)
	}
	var conversations struct {
		Tests []struct {
			Messages            []Message `json:"messages"`
			AddGenerationPrompt bool      `json:"add_generation_prompt"`
			Text                string    `json:"text"`
			IDs                 []int32   `json:"ids"`
		} `json:"tests"`
	}
	readGolden(t, "testdata/smollm2/chat_template.json", &conversations)
	for i, c := range conversations.Tests {
		text, err := chat.Render(c.Messages, c.AddGenerationPrompt)
		if err != nil || text != c.Text || !slices.Equal(tok.Encode(text), c.IDs) {
			t.Errorf("case %d: Render = %q, %v, want %q", i, text, err, c.Text)
		}
	}
}

func TestGGUFTokenizerRefusesWhatItWouldGetWrong(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		change map[string]any
		want   string
	}{
		"no tokens":        {map[string]any{"tokenizer.ggml.tokens": nil}, "tokenizer.ggml.tokens is missing"},
		"tokens of ints":   {map[string]any{"tokenizer.ggml.tokens": []int32{1}}, "[]int32"},
		"another model":    {map[string]any{"tokenizer.ggml.model": "bert"}, "bert"},
		"another splitter": {map[string]any{"tokenizer.ggml.pre": "deepseek-coder"}, "deepseek-coder"},
		"no splitter":      {map[string]any{"tokenizer.ggml.pre": nil}, "tokenizer.ggml.pre"},
		"broken merges":    {map[string]any{"tokenizer.ggml.merges": []string{"abc"}}, "abc"},
		"strange merges":   {map[string]any{"tokenizer.ggml.merges": []string{"a zzzzz"}}, "not in the vocabulary"},
		"too few types":    {map[string]any{"tokenizer.ggml.token_type": []int32{1}}, "1 entries"},
		"no scores":        {map[string]any{"tokenizer.ggml.model": "llama"}, "tokenizer.ggml.scores"},
		"bos without id":   {map[string]any{"tokenizer.ggml.add_bos_token": true, "tokenizer.ggml.bos_token_id": uint32(1 << 31)}, "bos_token_id"},
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
		_, err := LoadTokenizer(fstest.MapFS{"model.gguf": {Data: writeGGUF(t, changed)}})
		if !errors.Is(err, trial.ErrInput) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: LoadTokenizer = %v, want an input error that names %s", name, err, c.want)
		}
	}
	if _, err := LoadTokenizer(fstest.MapFS{"model.gguf": {Data: []byte("GGUF")}}); !errors.Is(err, trial.ErrInput) {
		t.Errorf("a broken file: LoadTokenizer = %v, want an input error", err)
	}
	if _, err := LoadChatTemplate(fstest.MapFS{"model.gguf": {Data: writeGGUF(t, metadata)}}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("without a template: LoadChatTemplate = %v, want one that says it does not exist", err)
	}
}

// TestTokenIDsNeedNoTokenizer: rows of ids are shown and scored whatever a model's tokenizer is like, and text is refused.
func TestTokenIDsNeedNoTokenizer(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	ids := write(t, dir, "ids.jsonl", `{"input_ids": [1, 2, 3]}`)
	text := write(t, dir, "text.jsonl", `{"text": "the sea"}`)
	for name, c := range map[string]struct {
		files   fs.FS
		missing bool
	}{
		"GGUF without tokenizer":   {fstest.MapFS{"model.gguf": {Data: writeGGUF(t, map[string]any{"general.architecture": "llama"})}}, true},
		"folder without tokenizer": {fstest.MapFS{}, true},
		"GGUF of another kind": {fstest.MapFS{"model.gguf": {Data: writeGGUF(t, map[string]any{
			"tokenizer.ggml.model": "bert", "tokenizer.ggml.tokens": []string{"a"},
		})}}, false},
	} {
		source := func(path string) Source {
			return Source{Files: c.files, Model: goldenModel(), Spec: trial.DataSpec{Train: []string{path}, Validation: []string{path}, SequenceLength: 4}}
		}
		samples, warnings, err := Samples(t.Context(), source(ids), 0)
		if err != nil || len(samples) != 1 || samples[0].Text != "" || (len(warnings) == 0) != c.missing {
			t.Errorf("%s: Samples = %v, %q, %v, want one row, and a warning where the tokenizer is not read", name, samples, warnings, err)
		}
		if _, _, err := Samples(t.Context(), source(text), 0); !errors.Is(err, trial.ErrInput) || errors.Is(err, fs.ErrNotExist) != c.missing {
			t.Errorf("%s: Samples of text = %v, want an input error", name, err)
		}
	}
}

func TestGGUFChatTemplate(t *testing.T) {
	t.Parallel()
	metadata := ggufOf(t, "smollm2")
	metadata["tokenizer.chat_template"] = "{{ bos_token }}{{ eos_token }}{{ unk_token }}|{{ messages[0].content }}"
	chat, err := LoadChatTemplate(fstest.MapFS{"model.gguf": {Data: writeGGUF(t, metadata)}})
	if err != nil {
		t.Fatal(err)
	}
	got, err := chat.Render([]Message{{Role: "user", Content: "hi"}}, false)
	if want := "<|im_start|><|im_end|>|hi"; err != nil || got != want {
		t.Errorf("Render = %q, %v, want %q", got, err, want)
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

// writeGGUF writes a GGUF file, version 3, without tensors.
func writeGGUF(t *testing.T, metadata map[string]any) []byte {
	t.Helper()
	const kindUint32, kindInt32, kindFloat32, kindBool, kindString, kindArray = 4, 5, 6, 7, 8, 9
	var b bytes.Buffer
	write := func(values ...any) {
		for _, v := range values {
			if s, ok := v.(string); ok {
				v = append(binary.LittleEndian.AppendUint64(nil, uint64(len(s))), s...)
			}
			if err := binary.Write(&b, binary.LittleEndian, v); err != nil {
				t.Fatal(err)
			}
		}
	}
	b.WriteString("GGUF")
	write(uint32(3), uint64(0), uint64(len(metadata)))
	for _, key := range slices.Sorted(maps.Keys(metadata)) {
		write(key)
		switch v := metadata[key].(type) {
		case string:
			write(uint32(kindString), v)
		case bool:
			write(uint32(kindBool), v)
		case uint32:
			write(uint32(kindUint32), v)
		case []int32:
			write(uint32(kindArray), uint32(kindInt32), uint64(len(v)), v)
		case []float32:
			write(uint32(kindArray), uint32(kindFloat32), uint64(len(v)), v)
		case []string:
			write(uint32(kindArray), uint32(kindString), uint64(len(v)))
			for _, s := range v {
				write(s)
			}
		default:
			t.Fatalf("%s is a %T", key, v)
		}
	}
	return b.Bytes()
}

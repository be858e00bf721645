package chat

import (
	"errors"
	"io/fs"
	"os"
	"slices"
	"testing"
	"testing/fstest"

	"github.com/ranksweep/ranksweep/trainer/tokenizer"
	"github.com/ranksweep/ranksweep/trainer/weights/weightstest"
)

func TestSmolLM2WithItsTokenizer(t *testing.T) {
	t.Parallel()
	const folder, name = "../../models", "SmolLM2-135M-Instruct.Q4_1.gguf"
	files := os.DirFS(folder)
	if _, err := fs.Stat(files, name); err != nil {
		t.Skipf("no %s/%s: fetch it by make smollm2", folder, name)
	}
	tok, err := tokenizer.Load(files)
	if err != nil {
		t.Fatal(err)
	}
	chat, err := Load(files)
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

func TestGGUFChatTemplate(t *testing.T) {
	t.Parallel()
	metadata := map[string]any{
		"tokenizer.ggml.tokens": []string{"<unk>", "<|im_start|>", "<|im_end|>"}, "tokenizer.ggml.bos_token_id": uint32(1),
		"tokenizer.ggml.eos_token_id": uint32(2),
	}
	if _, err := Load(fstest.MapFS{"model.gguf": {Data: weightstest.WriteGGUF(t, metadata)}}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("without a template: Load = %v, want one that says it does not exist", err)
	}
	metadata["tokenizer.chat_template"] = "{{ bos_token }}{{ eos_token }}{{ unk_token }}|{{ messages[0].content }}"
	chat, err := Load(fstest.MapFS{"model.gguf": {Data: weightstest.WriteGGUF(t, metadata)}})
	if err != nil {
		t.Fatal(err)
	}
	got, err := chat.Render([]Message{{Role: "user", Content: "hi"}}, false)
	if want := "<|im_start|><|im_end|>|hi"; err != nil || got != want {
		t.Errorf("Render = %q, %v, want %q", got, err, want)
	}
}

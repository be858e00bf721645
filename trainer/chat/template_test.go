package chat

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/ranksweep/ranksweep/sweep/trial"
)

// goldenChat is testdata/golden.json: what transformers' apply_chat_template gives, versions in the file, made by golden.py.
type goldenChat struct {
	Templates map[string]json.RawMessage `json:"templates"` // tokenizer_config.json
	Cases     []struct {
		Template            string    `json:"template"`
		Messages            []Message `json:"messages"`
		AddGenerationPrompt bool      `json:"add_generation_prompt"`
		Text                *string   `json:"text"`
		Error               string    `json:"error"`
	} `json:"cases"`
}

func TestChatTemplatesAgreeWithTransformers(t *testing.T) {
	t.Parallel()
	var golden goldenChat
	readGolden(t, "testdata/golden.json", &golden)
	templates := map[string]*Template{}
	for name, config := range golden.Templates {
		c, err := Load(fstest.MapFS{"tokenizer_config.json": {Data: config}})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		templates[name] = c
	}
	for i, c := range golden.Cases {
		text, err := templates[c.Template].Render(c.Messages, c.AddGenerationPrompt)
		switch {
		case c.Text == nil && !errors.Is(err, trial.ErrInput):
			t.Errorf("case %d, %s: Render = %q, %v, want an input error as Python's %s", i, c.Template, text, err, c.Error)
		case c.Text != nil && err != nil:
			t.Errorf("case %d, %s: %v", i, c.Template, err)
		case c.Text != nil && text != *c.Text:
			t.Errorf("case %d, %s: Render = %q, want %q", i, c.Template, text, *c.Text)
		}
	}
}

func TestSmolLM2ChatTemplate(t *testing.T) {
	t.Parallel()
	var golden struct {
		Template string `json:"template"`
		Tests    []struct {
			Messages            []Message `json:"messages"`
			AddGenerationPrompt bool      `json:"add_generation_prompt"`
			Text                string    `json:"text"`
		} `json:"tests"`
	}
	readGolden(t, "testdata/smollm2/chat_template.json", &golden)
	c, err := Load(fstest.MapFS{"chat_template.jinja": {Data: []byte(golden.Template)}})
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range golden.Tests {
		if got, err := c.Render(want.Messages, want.AddGenerationPrompt); err != nil || got != want.Text {
			t.Errorf("case %d: Render = %q, %v, want %q", i, got, err, want.Text)
		}
		var plain []Message // without the JSON they came from
		for _, m := range want.Messages {
			plain = append(plain, Message{Role: m.Role, Content: m.Content})
		}
		if got, err := c.Render(plain, want.AddGenerationPrompt); err != nil || got != want.Text {
			t.Errorf("case %d, from Go values: Render = %q, %v, want %q", i, got, err, want.Text)
		}
	}
}

func TestLoad(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name, file, config string
		want, err          string
	}{
		{name: "in the config", config: `{"chat_template": "{{ eos_token }}{{ bos_token }}", "eos_token": "</s>"}`, want: "</s>"},
		{
			name: "the file counts first", file: "file {{ eos_token }}",
			config: `{"chat_template": "config", "eos_token": {"content": "E"}}`, want: "file E",
		},
		{name: "named", config: `{"chat_template": [{"name": "tool_use", "template": "t"}, {"name": "default", "template": "d"}]}`, want: "d"},
		{
			name: "no default", config: `{"chat_template": [{"name": "rag", "template": "t"}, {"name": "tool_use", "template": "t"}]}`,
			err: "rag, tool_use",
		},
		{name: "a number", config: `{"chat_template": 5}`, err: "neither a string nor a list"},
		{name: "does not parse", file: "a\n{% for %}", err: "line 2"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			files := fstest.MapFS{}
			if c.file != "" {
				files["chat_template.jinja"] = &fstest.MapFile{Data: []byte(c.file)}
			}
			if c.config != "" {
				files["tokenizer_config.json"] = &fstest.MapFile{Data: []byte(c.config)}
			}
			chat, err := Load(files)
			if c.err != "" {
				if !errors.Is(err, trial.ErrInput) || !strings.Contains(err.Error(), c.err) {
					t.Errorf("Load = %v, want an input error with %q", err, c.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got, err := chat.Render(nil, false); err != nil || got != c.want {
				t.Errorf("Render = %q, %v, want %q", got, err, c.want)
			}
		})
	}
	for _, files := range []fstest.MapFS{{}, {"tokenizer_config.json": {Data: []byte(`{"chat_template": null}`)}}} {
		if _, err := Load(files); !errors.Is(err, trial.ErrInput) || !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("without a template: Load = %v, want an input error that says it does not exist", err)
		}
	}
}

func TestMessageRefusesWhatIsNone(t *testing.T) {
	t.Parallel()
	for _, body := range []string{`5`, `[]`, `{}`, `{"role": 1}`, `{"role": "user", "content": 5}`, `{"role": "user", "content": {}}`} {
		var m Message
		if err := json.Unmarshal([]byte(body), &m); err == nil {
			t.Errorf("Unmarshal(%s) = %+v, want an error", body, m)
		}
	}
	var m Message
	if err := json.Unmarshal([]byte(`{"content": [{"type": "text", "text": "x"}], "role": "user", "weight": 0}`), &m); err != nil ||
		m.Role != "user" || m.Content != "" {
		t.Errorf("Unmarshal of parts = %+v, %v", m, err)
	}
}

func readGolden(t testing.TB, name string, into any) {
	t.Helper()
	body, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(body, into); err != nil {
		t.Fatal(err)
	}
}

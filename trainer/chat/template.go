package chat

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/ranksweep/ranksweep/sweep/trial"
	"github.com/ranksweep/ranksweep/trainer/chat/jinja"
	"github.com/ranksweep/ranksweep/trainer/tokenizer"
	"github.com/ranksweep/ranksweep/trainer/weights"
)

// Template is a model's own format of a conversation. It may be used by several goroutines.
type Template struct {
	template    *jinja.Template
	tokens      map[string]string // bos_token and its like, as the template knows them
	now         time.Time         // when it was loaded: what strftime_now answers
	dated       bool
	fingerprint string
}

// Load reads a model's chat template: chat_template.jinja, else chat_template in tokenizer_config.json (of several
// the one named default), else the one in the GGUF file that the model is. A model without one, and a template that does not parse,
// are errors that wrap trial.ErrInput (and fs.ErrNotExist where there is none).
func Load(files fs.FS) (*Template, error) {
	source, tokens, err := readTemplate(files)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", trial.ErrInput, err)
	}
	return Parse(source, tokens)
}

// Parse makes a template of its source. It writes tokens by their names (bos_token and its like). A source that does not parse is an
// error that wraps trial.ErrInput.
func Parse(source string, tokens map[string]string) (*Template, error) {
	template, err := jinja.Parse(source)
	if err != nil {
		return nil, fmt.Errorf("%w: chat template: %w", trial.ErrInput, err)
	}
	h := sha256.New()
	fmt.Fprintf(h, "%q", source)
	for _, name := range slices.Sorted(maps.Keys(tokens)) {
		fmt.Fprintf(h, " %q=%q", name, tokens[name])
	}
	return &Template{
		template: template, tokens: tokens, now: time.Now(), dated: strings.Contains(source, "strftime_now"),
		fingerprint: hex.EncodeToString(h.Sum(nil)),
	}, nil
}

// Render returns the text of a conversation, to the byte as transformers' apply_chat_template has it (no tools, no
// documents). With addGenerationPrompt it ends where the assistant would begin to write.
func (c *Template) Render(messages []Message, addGenerationPrompt bool) (string, error) {
	list := make([]any, len(messages))
	for i, m := range messages {
		list[i] = m.value()
	}
	values := map[string]any{"messages": list, "tools": nil, "documents": nil, "add_generation_prompt": addGenerationPrompt}
	for name, token := range c.tokens {
		values[name] = token
	}
	text, err := c.template.Render(values, c.now)
	if err != nil {
		return "", fmt.Errorf("%w: chat template: %w", trial.ErrInput, err)
	}
	return text, nil
}

// Fingerprint identifies the template and the tokens that it writes: a SHA-256 in hexadecimal.
func (c *Template) Fingerprint() string { return c.fingerprint }

// Dated reports whether the template can write today's date (Llama 3.2's does), so that the same conversation may render
// differently tomorrow. Within one Template the date stands still.
func (c *Template) Dated() bool { return c.dated }

// TemplateFile holds a model's chat template alone.
const TemplateFile = "chat_template.jinja"

// readTemplate finds the template's source and the special tokens it may write.
func readTemplate(files fs.FS) (string, map[string]string, error) {
	config, err := tokenizer.ReadConfig(files)
	if err != nil {
		return "", nil, err
	}
	body, err := weights.ReadText(files, TemplateFile)
	if err == nil {
		return string(body), config.SpecialTokens(), nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return "", nil, fmt.Errorf("read %s: %w", TemplateFile, err)
	}
	var templates namedTemplates
	if len(config.ChatTemplate) > 0 {
		if err := json.Unmarshal(config.ChatTemplate, &templates); err != nil {
			return "", nil, fmt.Errorf("%s: %w", tokenizer.ConfigFile, err)
		}
	}
	if len(templates) == 0 {
		source, tokens, err := tokenizer.GGUFChatTemplate(files)
		if !errors.Is(err, fs.ErrNotExist) {
			return source, tokens, err
		}
		return "", nil, fmt.Errorf("the model has no chat template, which chat messages need: put it into %s beside the model, "+
			"or write the data as prompt and completion: %w", TemplateFile, fs.ErrNotExist)
	}
	source, err := templates.standard()
	return source, config.SpecialTokens(), err
}

// namedTemplates are a model's templates by name. A single one is named default.
type namedTemplates map[string]string

// UnmarshalJSON reads a string, a list of {"name", "template"}, or null.
func (c *namedTemplates) UnmarshalJSON(body []byte) error {
	*c = nil
	var single *string
	if err := json.Unmarshal(body, &single); err == nil {
		if single != nil {
			*c = namedTemplates{"default": *single}
		}
		return nil
	}
	var list []struct {
		Name     string `json:"name"`
		Template string `json:"template"`
	}
	if err := json.Unmarshal(body, &list); err != nil {
		return fmt.Errorf("chat_template is neither a string nor a list of named templates: %w", err)
	}
	*c = namedTemplates{}
	for _, t := range list {
		(*c)[t.Name] = t.Template
	}
	return nil
}

func (c namedTemplates) standard() (string, error) {
	source, ok := c["default"]
	if !ok {
		return "", fmt.Errorf("%s: chat_template has %s, but none is named default: put the one to use into %s",
			tokenizer.ConfigFile, strings.Join(slices.Sorted(maps.Keys(c)), ", "), TemplateFile)
	}
	return source, nil
}

package data

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
	"github.com/ranksweep/ranksweep/trainer/data/jinja"
)

// ChatTemplate is a model's own format of a conversation. It may be used by several goroutines.
type ChatTemplate struct {
	template    *jinja.Template
	tokens      map[string]string // bos_token and its like, as the template knows them
	now         time.Time         // when it was loaded: what strftime_now answers
	dated       bool
	fingerprint string
}

// LoadChatTemplate reads a model's chat template: chat_template.jinja, else chat_template in tokenizer_config.json (of several
// the one named default), else the one in the GGUF file that the model is. A model without one, and a template that does not parse, are errors that wrap
// sweep.ErrInput (and fs.ErrNotExist where there is none).
func LoadChatTemplate(files fs.FS) (*ChatTemplate, error) {
	source, tokens, err := readChatTemplate(files)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", trial.ErrInput, err)
	}
	return newChatTemplate(source, tokens)
}

func newChatTemplate(source string, tokens map[string]string) (*ChatTemplate, error) {
	template, err := jinja.Parse(source)
	if err != nil {
		return nil, fmt.Errorf("%w: chat template: %w", trial.ErrInput, err)
	}
	h := sha256.New()
	fmt.Fprintf(h, "%q", source)
	for _, name := range slices.Sorted(maps.Keys(tokens)) {
		fmt.Fprintf(h, " %q=%q", name, tokens[name])
	}
	return &ChatTemplate{
		template: template, tokens: tokens, now: time.Now(), dated: strings.Contains(source, "strftime_now"), fingerprint: hex.EncodeToString(h.Sum(nil)),
	}, nil
}

// Render returns the text of a conversation, to the byte as transformers' apply_chat_template has it (no tools, no
// documents). With addGenerationPrompt it ends where the assistant would begin to write.
func (c *ChatTemplate) Render(messages []Message, addGenerationPrompt bool) (string, error) {
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
func (c *ChatTemplate) Fingerprint() string { return c.fingerprint }

// Dated reports whether the template can write today's date (Llama 3.2's does), so that the same conversation may render
// differently tomorrow. Within one ChatTemplate the date stands still.
func (c *ChatTemplate) Dated() bool { return c.dated }

const (
	chatTemplateFile    = "chat_template.jinja"
	tokenizerConfigFile = "tokenizer_config.json"
)

// tokenizerConfig is the part of tokenizer_config.json that this package uses.
type tokenizerConfig struct {
	ChatTemplate json.RawMessage `json:"chat_template"` // as chatTemplates; text needs none, so it is not read with the rest
	BOS          tokenName       `json:"bos_token"`
	EOS          tokenName       `json:"eos_token"`
	UNK          tokenName       `json:"unk_token"`
	PAD          tokenName       `json:"pad_token"`
	SEP          tokenName       `json:"sep_token"`
	CLS          tokenName       `json:"cls_token"`
	Mask         tokenName       `json:"mask_token"`
}

// named returns the tokens that a template can use, by the names that transformers gives them.
func (c tokenizerConfig) named() map[string]string {
	tokens := map[string]string{
		"bos_token": string(c.BOS), "eos_token": string(c.EOS), "unk_token": string(c.UNK), "pad_token": string(c.PAD),
		"sep_token": string(c.SEP), "cls_token": string(c.CLS), "mask_token": string(c.Mask),
	}
	maps.DeleteFunc(tokens, func(_, token string) bool { return token == "" })
	return tokens
}

// readChatTemplate finds the template's source and the special tokens it may write.
func readChatTemplate(files fs.FS) (string, map[string]string, error) {
	var config tokenizerConfig
	if err := readJSON(files, tokenizerConfigFile, &config); err != nil {
		return "", nil, err
	}
	body, err := fs.ReadFile(files, chatTemplateFile)
	if err == nil {
		return string(body), config.named(), nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return "", nil, fmt.Errorf("read %s: %w", chatTemplateFile, err)
	}
	var templates chatTemplates
	if len(config.ChatTemplate) > 0 {
		if err := json.Unmarshal(config.ChatTemplate, &templates); err != nil {
			return "", nil, fmt.Errorf("%s: %w", tokenizerConfigFile, err)
		}
	}
	if len(templates) == 0 {
		source, tokens, err := ggufTemplate(files)
		if !errors.Is(err, fs.ErrNotExist) {
			return source, tokens, err
		}
		return "", nil, fmt.Errorf("the model has no chat template, which chat messages need: put it into %s beside the model, "+
			"or write the data as prompt and completion: %w", chatTemplateFile, fs.ErrNotExist)
	}
	source, err := templates.standard()
	return source, config.named(), err
}

// ggufTemplate is readChatTemplate for a model that is a GGUF file.
func ggufTemplate(files fs.FS) (string, map[string]string, error) {
	metadata, err := readGGUF(files)
	if err != nil {
		return "", nil, err
	}
	source := metadata.text(ggufChatTemplate)
	if source == "" {
		return "", nil, fs.ErrNotExist
	}
	tokens, err := metadata.namedTokens()
	return source, tokens, err
}

// chatTemplates are a model's templates by name. A single one is named default.
type chatTemplates map[string]string

// UnmarshalJSON reads a string, a list of {"name", "template"}, or null.
func (c *chatTemplates) UnmarshalJSON(body []byte) error {
	*c = nil
	var single *string
	if err := json.Unmarshal(body, &single); err == nil {
		if single != nil {
			*c = chatTemplates{"default": *single}
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
	*c = chatTemplates{}
	for _, t := range list {
		(*c)[t.Name] = t.Template
	}
	return nil
}

func (c chatTemplates) standard() (string, error) {
	source, ok := c["default"]
	if !ok {
		return "", fmt.Errorf("%s: chat_template has %s, but none is named default: put the one to use into %s",
			tokenizerConfigFile, strings.Join(slices.Sorted(maps.Keys(c)), ", "), chatTemplateFile)
	}
	return source, nil
}

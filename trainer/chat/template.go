package chat

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/ranksweep/ranksweep/sweep/trial"
	"github.com/ranksweep/ranksweep/trainer/chat/jinja"
)

// Template is a model's own format of a conversation. It may be used by several goroutines.
type Template struct {
	standard    source
	toolUse     *source           // for conversations with tools; nil where the model has one template for all
	tokens      map[string]string // bos_token and its like, as the template knows them
	now         time.Time         // when it was loaded: what strftime_now answers
	fingerprint string
}

// source is one template and what its text tells.
type source struct {
	*jinja.Template
	text          string
	marked        bool // it says by {% generation %} what the assistant writes
	dropsThoughts bool // it leaves out what stands before </think>, even of a last turn
}

// Load reads a model's chat template: chat_template.jinja and, for conversations with tools, additional_chat_templates/tool_use.jinja;
// else chat_template in tokenizer_config.json (of several those named default and tool_use); else the one in the GGUF file that the model
// is. A model without one, and a template that does not parse, are errors that wrap trial.ErrInput (and fs.ErrNotExist where there is
// none).
func Load(files fs.FS) (*Template, error) {
	named, tokens, err := readTemplates(files)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", trial.ErrInput, err)
	}
	return parse(named, tokens)
}

// Parse makes a template of its source. It writes tokens by their names (bos_token and its like). A source that does not parse is an
// error that wraps trial.ErrInput.
func Parse(source string, tokens map[string]string) (*Template, error) {
	return parse(namedTemplates{standardName: source}, tokens)
}

func parse(named namedTemplates, tokens map[string]string) (*Template, error) {
	h := sha256.New()
	fmt.Fprintf(h, "%q", named[standardName])
	for _, name := range slices.Sorted(maps.Keys(tokens)) {
		fmt.Fprintf(h, " %q=%q", name, tokens[name])
	}
	c := &Template{tokens: tokens, now: time.Now(), fingerprint: hex.EncodeToString(h.Sum(nil))}
	var err error
	if c.standard, err = c.parseSource(named[standardName]); err != nil {
		return nil, err
	}
	if text, ok := named[toolUseName]; ok {
		toolUse, err := c.parseSource(text)
		if err != nil {
			return nil, fmt.Errorf("%w (the one named %s)", err, toolUseName)
		}
		c.toolUse = &toolUse
	}
	return c, nil
}

// generationMark is how TRL (1.16) finds {% generation %}.
const generationMark = `\{%-?\s*generation\s*-?%\}`

func (c *Template) parseSource(text string) (source, error) {
	template, err := jinja.Parse(text)
	if err != nil {
		return source{}, fmt.Errorf("%w: chat template: %w", trial.ErrInput, err)
	}
	s := source{Template: template, text: text, marked: regexp.MustCompile(generationMark).MatchString(text)}
	s.dropsThoughts = strings.Contains(text, endOfThoughts) && !s.marked && c.drops(s)
	return s, nil
}

// drops tries whether a template leaves out the thoughts of a last turn.
func (c *Template) drops(s source) bool {
	const thoughts, answer = "48e1c2d6", "9f4b07a3"
	text, _, err := c.renderBy(s, Conversation{Messages: []Message{
		{Role: "user", Content: "x"}, {Role: assistant, Content: "<think>\n" + thoughts + "\n" + endOfThoughts + "\n\n" + answer},
	}}, false)
	return err == nil && strings.Contains(text, answer) && !strings.Contains(text, thoughts)
}

// of returns the source that writes a conversation.
func (c *Template) of(conversation Conversation) source {
	if c.toolUse != nil && conversation.Tools.value() != nil {
		return *c.toolUse
	}
	return c.standard
}

// Render returns the text of messages, to the byte as transformers' apply_chat_template has it. With addGenerationPrompt it ends where
// the assistant would begin to write.
func (c *Template) Render(messages []Message, addGenerationPrompt bool) (string, error) {
	return c.render(Conversation{Messages: messages}, addGenerationPrompt)
}

func (c *Template) render(conversation Conversation, addGenerationPrompt bool) (string, error) {
	text, _, err := c.renderBy(c.of(conversation), conversation, addGenerationPrompt)
	return text, err
}

func (c *Template) renderBy(s source, conversation Conversation, addGenerationPrompt bool) (string, []jinja.Span, error) {
	list := make([]any, len(conversation.Messages))
	for i, m := range conversation.Messages {
		list[i] = m.value()
	}
	values := map[string]any{"documents": nil}
	for name, token := range c.tokens {
		values[name] = token
	}
	maps.Insert(values, conversation.Kwargs.all())
	values["messages"], values["tools"], values["add_generation_prompt"] = list, conversation.Tools.value(), addGenerationPrompt
	text, spans, err := s.RenderMarked(values, c.now)
	if err != nil {
		return "", nil, fmt.Errorf("%w: chat template: %w", trial.ErrInput, err)
	}
	return text, spans, nil
}

// Fingerprint identifies the template for conversations without tools and the tokens that it writes: a SHA-256 in hexadecimal.
func (c *Template) Fingerprint() string { return c.fingerprint }

// Marked reports whether the template says by {% generation %} what the assistant writes.
func (c *Template) Marked() bool { return c.standard.marked || c.toolUse != nil && c.toolUse.marked }

// DropsThoughts reports whether the template leaves out the thoughts of every answer.
func (c *Template) DropsThoughts() bool { return c.standard.dropsThoughts }

// ToolUse is the template for conversations with tools; "" where the model has none of its own for them.
func (c *Template) ToolUse() string {
	if c.toolUse == nil {
		return ""
	}
	return c.toolUse.text
}

// Dated reports whether the template can write today's date (Llama 3.2's does), so that the same conversation may render
// differently tomorrow. Within one Template the date stands still.
func (c *Template) Dated() bool {
	return strings.Contains(c.standard.text, dateFunction) || c.toolUse != nil && strings.Contains(c.toolUse.text, dateFunction)
}

// dateFunction is what a template calls for today's date.
const dateFunction = "strftime_now"

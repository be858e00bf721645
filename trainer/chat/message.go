package chat

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/ranksweep/ranksweep/trainer/chat/jinja"
)

// Message is one turn of a conversation. Read from JSON it keeps every key that is not null for the template: name, tool_calls, thinking
// and what else a model's format knows, in their order.
type Message struct {
	Role    string
	Content string // empty where the JSON has none, null, or a list of parts
	Muted   bool   // weight: 0 or train: false: not scored, though it be the assistant's

	fields *jinja.Dict // nil for a Message that was not read from JSON
}

// UnmarshalJSON reads a JSON object with a role.
func (m *Message) UnmarshalJSON(body []byte) error {
	v, err := jinja.FromJSON(body)
	if err != nil {
		return fmt.Errorf("message: %w", err)
	}
	fields, ok := v.(*jinja.Dict)
	if !ok {
		return fmt.Errorf(`message %.40s: want an object as {"role": "user", "content": "…"}`, body)
	}
	role, _ := fields.Get("role")
	name, ok := role.(string)
	if !ok {
		return fmt.Errorf(`message %.40s: "role" is missing or not a string`, body)
	}
	*m = Message{Role: name, fields: jinja.NewDict()}
	for key, value := range fields.All() {
		if value != nil { // as transformers (5.24) does: to most templates an absent key means nothing, and None the word
			m.fields.Set(key, value)
		}
	}
	if m.Muted, err = muted(m.fields); err != nil {
		return fmt.Errorf("message %.40s: %w", body, err)
	}
	if content, ok := fields.Get("content"); ok {
		switch content := content.(type) {
		case string:
			m.Content = content
		case nil, []any:
		default:
			return fmt.Errorf(`message %.40s: "content" is neither a string, null nor a list of parts`, body)
		}
	}
	return nil
}

// muted reads weight, as OpenAI's fine-tuning has it, and train, as axolotl has it.
func muted(fields *jinja.Dict) (bool, error) {
	weight, weighed := fields.Get("weight")
	if f, ok := weight.(float64); ok && f == math.Trunc(f) {
		weight = int64(f)
	}
	if weighed && weight != int64(0) && weight != int64(1) {
		return false, fmt.Errorf(`"weight" is %#v: only 0 (not scored) and 1 are supported`, weight)
	}
	train, told := fields.Get("train")
	if _, ok := train.(bool); told && !ok {
		return false, fmt.Errorf(`"train" is %#v: want true, or false for a turn that is not scored`, train)
	}
	return weight == int64(0) || train == false, nil
}

// parts returns the content where it is a list of parts, as OpenAI's API has it; else nil.
func (m Message) parts() []any {
	if m.fields == nil {
		return nil
	}
	content, _ := m.fields.Get("content")
	list, _ := content.([]any)
	return list
}

// CheckParts refuses parts that are not text, which no model here reads.
func (m Message) CheckParts() error {
	for i, part := range m.parts() {
		if _, ok := partText(part); !ok {
			return fmt.Errorf(`part %d of its content is %s: only text is supported, as {"type": "text", "text": "…"}`, i+1, partKind(part))
		}
	}
	return nil
}

// partText returns the text of a part of type text.
func partText(part any) (text string, ok bool) {
	d, ok := part.(*jinja.Dict)
	if !ok {
		return "", false
	}
	kind, _ := d.Get("type")
	value, _ := d.Get("text")
	text, ok = value.(string)
	return text, ok && kind == "text"
}

// partKind names what a part is that is no text.
func partKind(part any) string {
	if d, ok := part.(*jinja.Dict); ok {
		if kind, _ := d.Get("type"); kind != nil && kind != "text" {
			return fmt.Sprintf("of type %v", kind)
		}
	}
	return "no object with type and text"
}

// joined returns messages with each list of parts as one string of their texts, and the number of the first such message, from 1;
// 0 where there is none.
func joined(messages []Message) (plain []Message, first int) {
	plain = slices.Clone(messages)
	for i, m := range messages {
		parts := m.parts()
		if parts == nil {
			continue
		}
		if first == 0 {
			first = i + 1
		}
		var content strings.Builder
		for _, part := range parts {
			text, _ := partText(part)
			content.WriteString(text)
		}
		plain[i] = m.saying(content.String())
	}
	return plain, first
}

// textArguments returns the arguments of the message's tool calls that are JSON text, as in OpenAI's API.
func (m Message) textArguments() (list []string) {
	if m.fields == nil {
		return nil
	}
	calls, _ := m.fields.Get("tool_calls")
	all, _ := calls.([]any)
	for _, call := range all {
		dict, ok := call.(*jinja.Dict)
		if !ok {
			continue
		}
		if function, ok := dict.Get("function"); ok {
			if inner, ok := function.(*jinja.Dict); ok {
				dict = inner
			}
		}
		arguments, _ := dict.Get("arguments")
		if text, ok := arguments.(string); ok && strings.HasPrefix(text, "{") {
			list = append(list, text)
		}
	}
	return list
}

// saying returns the message with another content.
func (m Message) saying(content string) Message {
	m.Content = content
	if m.fields != nil {
		m.fields = m.fields.With("content", content)
	}
	return m
}

// reasoningFields are the names under which messages have thoughts. Where several are there the first counts (transformers 5.24).
func reasoningFields() []string { return []string{"reasoning_content", "thinking", "reasoning"} }

// reasoning returns the thoughts that a message has beside its content.
func (m Message) reasoning() (thoughts any, ok bool) {
	if m.fields == nil {
		return nil, false
	}
	for _, name := range reasoningFields() {
		if thoughts, ok = m.fields.Get(name); ok {
			return thoughts, true
		}
	}
	return nil, false
}

// value is what the template sees: the message, its thoughts also under the two names that templates read, as transformers has it.
func (m Message) value() *jinja.Dict {
	d := jinja.NewDict()
	if m.fields == nil {
		d.Set("role", m.Role)
		d.Set("content", m.Content)
		return d
	}
	thoughts, ok := m.reasoning()
	if !ok {
		return m.fields
	}
	d.Set("thinking", thoughts)
	for key, value := range m.fields.All() {
		d.Set(key, value)
	}
	d.Set("reasoning_content", thoughts)
	return d
}

// Canonical returns messages as JSON, with every key that they have: what tells one conversation from another.
func Canonical(messages []Message) (string, error) {
	list := make([]any, len(messages))
	for i, m := range messages {
		if list[i] = m.fields; m.fields == nil {
			list[i] = m.value()
		}
	}
	template, err := jinja.Parse("{{ messages | tojson }}")
	if err != nil {
		return "", err
	}
	return template.Render(map[string]any{"messages": list}, time.Time{})
}

var _ json.Unmarshaler = (*Message)(nil)

package chat

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/ranksweep/ranksweep/trainer/chat/jinja"
)

// Message is one turn of a conversation. Read from JSON it keeps every key for the template: name, tool_calls, thinking and
// what else a model's format knows, in their order.
type Message struct {
	Role    string
	Content string // empty where the JSON has none, null, or a list of parts

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
	*m = Message{Role: name, fields: fields}
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
		plain[i] = Message{Role: m.Role, Content: content.String(), fields: m.fields.With("content", content.String())}
	}
	return plain, first
}

// value is what the template sees.
func (m Message) value() *jinja.Dict {
	if m.fields != nil {
		return m.fields
	}
	d := jinja.NewDict()
	d.Set("role", m.Role)
	d.Set("content", m.Content)
	return d
}

var _ json.Unmarshaler = (*Message)(nil)

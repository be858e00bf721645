package data

import (
	"encoding/json"
	"fmt"

	"github.com/ranksweep/ranksweep/trainer/data/jinja"
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

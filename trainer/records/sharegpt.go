package records

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
)

// shareGPTRole returns the role that a speaker of ShareGPT's has: what axolotl and LLaMA-Factory take by default, and the names of
// published sets. function_call is apart.
func shareGPTRole(from string) (role string, ok bool) {
	switch from {
	case "human":
		return "user", true
	case "gpt", "chatgpt", "model", "bot", "bard", "bing":
		return "assistant", true
	case "observation", "function_response", "tool_response":
		return "tool", true
	}
	return from, slices.Contains([]string{"system", "user", "assistant", "tool", "developer", "function"}, from)
}

// member is a key of an object with its value.
type member struct {
	key   string
	value json.RawMessage
}

// members takes an object apart, in its order.
func members(object []byte) ([]member, error) {
	d := json.NewDecoder(bytes.NewReader(object))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil, errors.New("not an object")
	}
	var list []member
	for d.More() {
		t, err := d.Token()
		if err != nil {
			return nil, err
		}
		m := member{key: t.(string)} // JSON has no other keys
		if err := d.Decode(&m.value); err != nil {
			return nil, err
		}
		list = append(list, m)
	}
	return list, nil
}

// normalMessages writes a conversation with role and content where it has ShareGPT's from and value (as TRL does, maybe_convert_to_chatml),
// and ShareGPT's names for roles as those that templates know. What is no list stays as it is.
func normalMessages(raw json.RawMessage) (json.RawMessage, error) {
	if len(raw) > 0 && raw[0] == '"' { // JSON within a text
		var text string
		if err := json.Unmarshal(raw, &text); err != nil {
			return nil, err
		}
		switch trimmed := bytes.TrimSpace([]byte(text)); {
		case bytes.HasPrefix(trimmed, []byte("[{'")):
			return nil, errors.New("a list as Python prints it: write it as JSON, with json.dumps")
		case bytes.HasPrefix(trimmed, []byte("[")) && json.Valid(trimmed):
			raw = trimmed
		}
	}
	if len(raw) == 0 || raw[0] != '[' || !bytes.Contains(raw, []byte(`"from"`)) && !hasOtherRole(raw) {
		return raw, nil
	}
	var list []json.RawMessage
	if err := json.Unmarshal(raw, &list); err != nil {
		return nil, err
	}
	for i, message := range list {
		fields, err := members(message)
		if err != nil {
			continue // whoever reads the messages says it
		}
		if list[i], err = normalMessage(fields); err != nil {
			return nil, fmt.Errorf("message %d: %w", i+1, err)
		}
	}
	return json.Marshal(list)
}

// hasOtherRole reports whether a conversation may have roles by ShareGPT's names.
func hasOtherRole(raw []byte) bool {
	for _, name := range []string{`"human"`, `"gpt"`, `"chatgpt"`, `"model"`, `"bot"`, `"bard"`, `"bing"`} {
		if bytes.Contains(raw, []byte(name)) {
			return true
		}
	}
	return false
}

// normalMessage writes one message.
func normalMessage(fields []member) (json.RawMessage, error) {
	has := func(key string) bool { return slices.ContainsFunc(fields, func(m member) bool { return m.key == key }) }
	shareGPT := has("from") && !has("role")
	for i := range fields {
		m := &fields[i]
		switch {
		case shareGPT && m.key == "from":
			m.key = "role"
		case shareGPT && m.key == "value" && !has("content"):
			m.key = "content"
		}
		var name string
		if m.key != "role" || json.Unmarshal(m.value, &name) != nil {
			continue
		}
		if shareGPT && name == "function_call" {
			return functionCall(fields)
		}
		role, known := shareGPTRole(name)
		if shareGPT && !known {
			return nil, fmt.Errorf("from %q is none of human, gpt, system, tool, function_call and observation", name)
		}
		m.value = mustJSON(role)
	}
	return object(fields), nil
}

// functionCall is an assistant's turn that calls functions: the value is the call, or a list of them (LLaMA-Factory).
func functionCall(fields []member) (json.RawMessage, error) {
	i := slices.IndexFunc(fields, func(m member) bool { return m.key == "value" || m.key == "content" })
	var text string
	if i < 0 || json.Unmarshal(fields[i].value, &text) != nil {
		return nil, errors.New("a function_call without a value")
	}
	type call struct {
		Name      string          `json:"name"`
		Arguments json.RawMessage `json:"arguments"`
	}
	var calls []call
	if err := json.Unmarshal([]byte(text), &calls); err != nil {
		calls = make([]call, 1)
		if err := json.Unmarshal([]byte(text), &calls[0]); err != nil {
			return nil, errors.New("the value of a function_call is not JSON with name and arguments")
		}
	}
	turn := struct {
		Role    string           `json:"role"`
		Content string           `json:"content"`
		Calls   []map[string]any `json:"tool_calls"`
	}{Role: "assistant"}
	for _, c := range calls {
		if c.Name == "" || len(c.Arguments) == 0 {
			return nil, errors.New("the value of a function_call has no name or no arguments")
		}
		turn.Calls = append(turn.Calls, map[string]any{"type": "function", "function": c})
	}
	return mustJSON(turn), nil
}

// object writes members as an object.
func object(fields []member) json.RawMessage {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, m := range fields {
		if i > 0 {
			b.WriteByte(',')
		}
		b.Write(mustJSON(m.key))
		b.WriteByte(':')
		b.Write(m.value)
	}
	b.WriteByte('}')
	return b.Bytes()
}

// mustJSON writes what JSON can write, as it is: no sign is escaped for HTML.
func mustJSON(v any) json.RawMessage {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic(fmt.Sprintf("a value that JSON cannot write: %v", err))
	}
	return bytes.TrimSpace(b.Bytes())
}

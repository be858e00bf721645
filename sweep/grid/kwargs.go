package grid

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml/ast"
)

// kwargsCodec reads a mapping of any values and keeps it as JSON.
func kwargsCodec() codec[json.RawMessage] {
	return codec[json.RawMessage]{
		want:   "a mapping from names that the chat template knows to values, such as {enable_thinking: false}",
		schema: schemaObject{"type": "object", "minProperties": 1},
		read: func(n ast.Node) (json.RawMessage, bool) {
			m, ok := n.(*ast.MappingNode)
			if !ok || len(m.Values) == 0 {
				return nil, false
			}
			return asJSON(n)
		},
		format: func(v json.RawMessage) string { return string(v) },
	}
}

// asJSON writes a node as JSON, its keys in their order.
func asJSON(n ast.Node) (json.RawMessage, bool) {
	switch n := n.(type) {
	case *ast.MappingNode:
		var names, entries []string
		for _, entry := range n.Values {
			name, ok := keyName(entry.Key)
			value, valueOK := asJSON(entry.Value)
			if !ok || !valueOK || slices.Contains(names, name) {
				return nil, false
			}
			names, entries = append(names, name), append(entries, fmt.Sprintf("%s:%s", quoted(name), value))
		}
		return json.RawMessage("{" + strings.Join(entries, ",") + "}"), true
	case *ast.SequenceNode:
		var items []string
		for _, item := range n.Values {
			value, ok := asJSON(item)
			if !ok {
				return nil, false
			}
			items = append(items, string(value))
		}
		return json.RawMessage("[" + strings.Join(items, ",") + "]"), true
	case *ast.NullNode:
		return json.RawMessage("null"), true
	case *ast.LiteralNode:
		return quoted(n.Value.Value), true
	case *ast.StringNode:
		if text, ok := plain(n); !ok || !decimalPattern.MatchString(text) { // the library takes 1e3 for text
			return quoted(n.Value), true
		}
	}
	text, ok := plain(n)
	if !ok {
		return nil, false
	}
	return scalarJSON(text)
}

// scalarJSON writes true, false or a number; 1.0 stays other than 1.
func scalarJSON(text string) (json.RawMessage, bool) {
	switch {
	case text == "true" || text == "false":
		return json.RawMessage(text), true
	case wholePattern.MatchString(text):
		return json.RawMessage(strings.TrimPrefix(text, "+")), true
	case !decimalPattern.MatchString(text):
		return nil, false
	}
	f, err := strconv.ParseFloat(text, 64)
	body, errJSON := json.Marshal(f)
	if err != nil || errJSON != nil {
		return nil, false
	}
	if !strings.ContainsAny(string(body), ".e") {
		body = append(body, ".0"...)
	}
	return body, true
}

func quoted(text string) json.RawMessage {
	body, err := json.Marshal(text)
	if err != nil {
		panic(fmt.Sprintf("a string has no JSON: %v", err))
	}
	return body
}

package jinja

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"
)

// FromJSON reads a JSON value as Python's json.loads does: the order of keys is kept, 1 is an integer and 1.0 is not.
func FromJSON(text []byte) (any, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	v, err := readJSON(d, 0)
	if err != nil {
		return nil, err
	}
	if d.InputOffset() < int64(len(bytes.TrimRight(text, " \t\r\n"))) {
		return nil, errors.New("text follows the JSON value")
	}
	return v, nil
}

func readJSON(d *json.Decoder, nest int) (any, error) {
	if nest > maxNest {
		return nil, fmt.Errorf("more than %d JSON values within each other", maxNest)
	}
	t, err := d.Token()
	if err != nil {
		return nil, err
	}
	switch t := t.(type) {
	case json.Number:
		return jsonNumber(string(t))
	case json.Delim:
		if t == '[' {
			return readJSONList(d, nest)
		}
		return readJSONDict(d, nest)
	}
	return t, nil // string, bool or nil
}

func jsonNumber(text string) (any, error) {
	if strings.ContainsAny(text, ".eE") {
		return strconv.ParseFloat(text, 64)
	}
	return strconv.ParseInt(text, 10, 64)
}

func readJSONList(d *json.Decoder, nest int) (any, error) {
	list := []any{}
	for d.More() {
		v, err := readJSON(d, nest+1)
		if err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	_, err := d.Token()
	return list, err
}

func readJSONDict(d *json.Decoder, nest int) (any, error) {
	dict := NewDict()
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return nil, err
		}
		v, err := readJSON(d, nest+1)
		if err != nil {
			return nil, err
		}
		dict.set(key, v)
	}
	_, err := d.Token()
	return dict, err
}

// jsonStyle is what json.dumps is told; transformers leaves non-ASCII characters as they are.
type jsonStyle struct {
	ascii       bool
	indent      string
	lines       bool // indent was given, be it 0
	item, key   string
	sorted      bool
	indentation int // levels now
}

// json writes json.dumps(v).
func (w *writer) json(v any, s jsonStyle) error {
	if w.nest++; w.nest > maxNest {
		return fmt.Errorf("%w: values within each other", errLimit)
	}
	defer func() { w.nest-- }()
	switch v := v.(type) {
	case nil:
		return w.write("null")
	case bool:
		return w.write(strconv.FormatBool(v))
	case int64:
		return w.write(strconv.FormatInt(v, 10))
	case float64:
		return w.write(jsonFloat(v))
	case string:
		return w.write(jsonString(v, s.ascii))
	case markup:
		return w.write(jsonString(string(v), s.ascii))
	case []any:
		return w.jsonItems("[", len(v), "]", s, func(i int, inner jsonStyle) error { return w.json(v[i], inner) })
	case tuple:
		return w.json([]any(v), s)
	case *Dict:
		return w.jsonDict(v, s)
	}
	return fmt.Errorf("tojson: a %s has no JSON form", typeName(v))
}

func (w *writer) jsonDict(d *Dict, s jsonStyle) error {
	keys := d.keys
	if s.sorted {
		sorted, err := w.run.sorted(keys, false, func(v any) (any, error) { return v, nil })
		if err != nil {
			return err
		}
		keys = sorted
	}
	return w.jsonItems("{", len(keys), "}", s, func(i int, inner jsonStyle) error {
		name, err := jsonKey(keys[i])
		if err != nil {
			return err
		}
		if err := w.write(jsonString(name, s.ascii) + s.key); err != nil {
			return err
		}
		return w.json(d.values[hashKey(keys[i])], inner)
	})
}

func jsonKey(key any) (string, error) {
	switch k := key.(type) {
	case string:
		return k, nil
	case nil:
		return "null", nil
	case bool:
		return strconv.FormatBool(k), nil
	case int64:
		return strconv.FormatInt(k, 10), nil
	case float64:
		return jsonFloat(k), nil
	}
	return "", fmt.Errorf("tojson: a %s cannot be a key", typeName(key))
}

func (w *writer) jsonItems(open string, n int, end string, s jsonStyle, item func(int, jsonStyle) error) error {
	if n == 0 {
		return w.write(open + end)
	}
	inner := s
	inner.indentation++
	if err := w.write(open); err != nil {
		return err
	}
	for i := range n {
		if i > 0 {
			if err := w.write(s.item); err != nil {
				return err
			}
		}
		if err := w.jsonLine(inner); err != nil {
			return err
		}
		if err := item(i, inner); err != nil {
			return err
		}
	}
	if err := w.jsonLine(s); err != nil {
		return err
	}
	return w.write(end)
}

func (w *writer) jsonLine(s jsonStyle) error {
	if !s.lines {
		return nil
	}
	if err := w.run.spendTimes(len(s.indent), s.indentation); err != nil {
		return err
	}
	return w.write("\n" + strings.Repeat(s.indent, s.indentation))
}

func jsonFloat(f float64) string {
	switch {
	case math.IsNaN(f):
		return "NaN"
	case math.IsInf(f, 1):
		return "Infinity"
	case math.IsInf(f, -1):
		return "-Infinity"
	}
	return floatText(f)
}

// JSONString is the filter tojson of a string.
func JSONString(s string) string { return jsonString(s, false) }

// jsonString escapes as Python's json does, which leaves <, > and & alone.
func jsonString(s string, ascii bool) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r < ' ' && strings.ContainsRune("\b\f\n\r\t", r):
			b.WriteByte('\\')
			b.WriteByte("btn.fr"[r-'\b'])
		case r < ' ' || ascii && r > '~' && r <= 0xffff:
			fmt.Fprintf(&b, `\u%04x`, r)
		case ascii && r > 0xffff:
			r -= 0x10000
			fmt.Fprintf(&b, `\u%04x\u%04x`, 0xd800+r>>10, 0xdc00+r&0x3ff)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}

// inputSize is about how many bytes a value holds.
func inputSize(v any) int {
	switch v := v.(type) {
	case string:
		return len(v)
	case []any:
		n := bytesPerUnit * len(v)
		for _, item := range v {
			n += inputSize(item)
		}
		return n
	case *Dict:
		n := bytesPerUnit * len(v.keys)
		for key, item := range v.values {
			n += inputSize(key) + inputSize(item)
		}
		return n
	}
	return utf8.UTFMax
}

// filterJSON is json.dumps with the arguments that transformers lets through.
func filterJSON(r *run, v any, args arguments) (any, error) {
	values, err := args.bind("ensure_ascii", "indent", "separators", "sort_keys")
	if err != nil {
		return nil, err
	}
	style := jsonStyle{ascii: given(values[0]) && truth(values[0]), item: ", ", key: ": ", sorted: given(values[3]) && truth(values[3])}
	if given(values[1]) && values[1] != nil {
		style.lines, style.item = true, ","
		if text, ok := values[1].(string); ok {
			style.indent = text
		} else {
			width, ok := integer(values[1])
			if !ok || width > 100 {
				return nil, errors.New("indent must be a str or an int up to 100")
			}
			style.indent = strings.Repeat(" ", int(max(0, width)))
		}
	}
	if given(values[2]) && values[2] != nil {
		pair, err := r.iterate(values[2])
		if err != nil {
			return nil, err
		}
		if len(pair) != 2 {
			return nil, errors.New("separators must be two str")
		}
		var okItem, okKey bool
		style.item, okItem = pair[0].(string)
		style.key, okKey = pair[1].(string)
		if !okItem || !okKey {
			return nil, errors.New("separators must be two str")
		}
	}
	w := writer{run: r}
	if err := w.json(v, style); err != nil {
		return nil, err
	}
	return w.text.String(), nil
}

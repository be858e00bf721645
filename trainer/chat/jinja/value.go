package jinja

import (
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// undefined is a name or key that has no value. It prints as nothing and is false; using it in any other way is an error.
type undefined struct{ what string }

func (u undefined) err() error { return fmt.Errorf("%s is undefined", u.what) }

type (
	tuple []any
	// view is dict.keys() or items(): like a list, but without an index or a spelling.
	view []any
	// markup is a string marked by the filter safe: what + joins to it is escaped. Nothing else than printing is supported.
	markup string
	// numbers is range().
	numbers struct{ start, step, count int64 }
	// generator is what map, select and their like give: it can be gone through once, is true even if empty, and has no length.
	generator struct{ items []any }
	// namespace is the one value that a template can change.
	namespace struct{ *Dict }
	// function is what a template can call.
	function struct {
		name string
		call func(*run, arguments) (any, error)
	}
)

// Dict is a dictionary that keeps the order in which its keys were first set.
type Dict struct {
	keys   []any
	values map[any]any
}

// NewDict returns an empty dictionary.
func NewDict() *Dict { return &Dict{values: map[any]any{}} }

// Set gives a key a value.
func (d *Dict) Set(key string, value any) { d.set(key, value) }

// With returns a copy in which a key has another value.
func (d *Dict) With(key string, value any) *Dict {
	c := &Dict{keys: slices.Clone(d.keys), values: maps.Clone(d.values)}
	c.set(key, value)
	return c
}

// Get returns the value of a key, and whether there is one.
func (d *Dict) Get(key string) (any, bool) {
	v, ok := d.values[key]
	return v, ok
}

// All yields the keys that are strings, in order, with their values.
func (d *Dict) All() iter.Seq2[string, any] {
	return func(yield func(string, any) bool) {
		for _, key := range d.keys {
			if name, ok := key.(string); ok && !yield(name, d.values[key]) {
				return
			}
		}
	}
}

func (d *Dict) set(key, value any) {
	hash := hashKey(key)
	if _, ok := d.values[hash]; !ok {
		d.keys = append(d.keys, key)
	}
	d.values[hash] = value
}

func (d *Dict) get(key any) (any, bool) {
	v, ok := d.values[hashKey(key)]
	return v, ok
}

// items returns the pairs.
func (d *Dict) items() []any {
	out := make([]any, len(d.keys))
	for i, key := range d.keys {
		out[i] = tuple{key, d.values[hashKey(key)]}
	}
	return out
}

// hashKey maps the keys that Python takes for one, as 1, 1.0 and True, to one.
func hashKey(key any) any {
	switch k := key.(type) {
	case bool:
		return toInt(k)
	case float64:
		if i := int64(k); float64(i) == k {
			return i
		}
	}
	return key
}

// hashable refuses the keys that Python refuses, and those whose spelling would be in question.
func hashable(key any) error {
	switch key.(type) {
	case nil, bool, int64, float64, string:
		return nil
	}
	return fmt.Errorf("a %s cannot be a key", typeName(key))
}

func toInt(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// typeName is what Python calls the type of a value.
func typeName(v any) string {
	switch v.(type) {
	case nil:
		return "None"
	case bool:
		return "bool"
	case int64:
		return "int"
	case float64:
		return "float"
	case string:
		return "str"
	case []any:
		return "list"
	case tuple:
		return "tuple"
	case *Dict:
		return "dict"
	case undefined:
		return "undefined value"
	case view:
		return "dictionary view"
	case numbers:
		return "range"
	case *generator:
		return "generator (add | list)"
	case namespace:
		return "namespace"
	case markup:
		return "string that went through | safe"
	case *loop:
		return "loop"
	}
	return "function"
}

// truth is Python's bool().
func truth(v any) bool {
	switch v := v.(type) {
	case nil, undefined:
		return false
	case bool:
		return v
	case int64:
		return v != 0
	case float64:
		return v != 0
	case string:
		return v != ""
	case markup:
		return v != ""
	case []any:
		return len(v) > 0
	case tuple:
		return len(v) > 0
	case view:
		return len(v) > 0
	case *Dict:
		return len(v.keys) > 0
	case numbers:
		return v.count > 0
	}
	return true
}

// iterate returns the items of a value as for does.
func (r *run) iterate(v any) ([]any, error) {
	switch v := v.(type) {
	case undefined:
		return nil, nil
	case []any:
		return v, r.spend(len(v))
	case tuple:
		return v, r.spend(len(v))
	case view:
		return v, r.spend(len(v))
	case *Dict:
		return v.keys, r.spend(len(v.keys))
	case *generator:
		items := v.items
		v.items = nil
		return items, r.spend(len(items))
	case numbers:
		if err := r.spend(int(v.count)); err != nil {
			return nil, err
		}
		items := make([]any, v.count)
		for i := range items {
			items[i] = v.start + int64(i)*v.step
		}
		return items, nil
	case string:
		if err := r.spend(len(v)); err != nil {
			return nil, err
		}
		items := make([]any, 0, len(v))
		for _, c := range v {
			items = append(items, string(c))
		}
		return items, nil
	case markup:
		return r.iterate(string(v))
	}
	return nil, fmt.Errorf("a %s cannot be gone through", typeName(v))
}

// length is Python's len().
func length(v any) (int, error) {
	switch v := v.(type) {
	case undefined:
		return 0, nil
	case string:
		return utf8.RuneCountInString(v), nil
	case markup:
		return utf8.RuneCountInString(string(v)), nil
	case []any:
		return len(v), nil
	case tuple:
		return len(v), nil
	case view:
		return len(v), nil
	case *Dict:
		return len(v.keys), nil
	case numbers:
		return int(v.count), nil
	}
	return 0, fmt.Errorf("a %s has no length", typeName(v))
}

// writer collects text and pays for it.
type writer struct {
	run  *run
	text strings.Builder
	nest int
}

func (w *writer) write(s string) error {
	if err := w.run.spendBytes(len(s)); err != nil {
		return err
	}
	w.text.WriteString(s)
	return nil
}

// str is Python's str().
func (r *run) str(v any) (string, error) {
	switch v := v.(type) {
	case undefined:
		return "", nil
	case string:
		return v, nil
	case markup:
		return string(v), nil
	}
	w := writer{run: r}
	if err := w.repr(v); err != nil {
		return "", err
	}
	return w.text.String(), nil
}

// repr writes Python's repr().
func (w *writer) repr(v any) error {
	if w.nest++; w.nest > maxNest {
		return fmt.Errorf("%w: values within each other", errLimit)
	}
	defer func() { w.nest-- }()
	switch v := v.(type) {
	case nil:
		return w.write("None")
	case bool:
		return w.write(map[bool]string{false: "False", true: "True"}[v])
	case int64:
		return w.write(strconv.FormatInt(v, 10))
	case float64:
		return w.write(floatText(v))
	case string:
		return w.write(quote(v))
	case undefined:
		return w.write("Undefined")
	case []any:
		return w.sequence("[", v, "]")
	case tuple:
		if len(v) == 1 {
			return w.sequence("(", v, ",)")
		}
		return w.sequence("(", v, ")")
	case *Dict:
		return w.dict(v)
	}
	return fmt.Errorf("a %s cannot be printed", typeName(v))
}

func (w *writer) sequence(open string, items []any, end string) error {
	errs := []error{w.write(open)}
	for i, item := range items {
		if i > 0 {
			errs = append(errs, w.write(", "))
		}
		if err := w.repr(item); err != nil {
			return err
		}
	}
	return errors.Join(append(errs, w.write(end))...)
}

func (w *writer) dict(d *Dict) error {
	err := w.write("{")
	for i, key := range d.keys {
		if i > 0 {
			err = errors.Join(err, w.write(", "))
		}
		err = errors.Join(err, w.repr(key), w.write(": "))
		if err != nil {
			return err
		}
		if err = w.repr(d.values[hashKey(key)]); err != nil {
			return err
		}
	}
	return errors.Join(err, w.write("}"))
}

// floatText is Python's repr of a float: the shortest that reads back, with an exponent from 1e16 on and below 1e-4.
func floatText(f float64) string {
	text := strconv.FormatFloat(f, 'e', -1, 64)
	_, exp, found := strings.Cut(text, "e")
	if !found { // NaN and infinities
		return strings.ToLower(strings.TrimPrefix(text, "+"))
	}
	if n, err := strconv.Atoi(exp); err != nil || n < -4 || n >= 16 {
		return text
	}
	text = strconv.FormatFloat(f, 'f', -1, 64)
	if !strings.Contains(text, ".") {
		text += ".0"
	}
	return text
}

// quote is Python's repr of a string.
func quote(s string) string {
	mark := '\''
	if strings.Contains(s, "'") && !strings.Contains(s, `"`) {
		mark = '"'
	}
	var b strings.Builder
	b.WriteRune(mark)
	for _, r := range s {
		switch {
		case r == mark || r == '\\':
			b.WriteRune('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\r':
			b.WriteString(`\r`)
		case r == '\t':
			b.WriteString(`\t`)
		case unicode.IsPrint(r):
			b.WriteRune(r)
		case r <= 0xff:
			fmt.Fprintf(&b, `\x%02x`, r)
		case r <= 0xffff:
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			fmt.Fprintf(&b, `\U%08x`, r)
		}
	}
	b.WriteRune(mark)
	return b.String()
}

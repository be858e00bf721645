package grid

import (
	"regexp"
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"

	"github.com/ranksweep/ranksweep/sweep/lora"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

// targetsCodec reads one value of lora.target_modules: a pattern as text. targetReader reads names as a list.
func targetsCodec() codec[lora.Targets] {
	name := textCodec("a module name")
	return codec[lora.Targets]{
		want:   "a list of module names such as [c_attn], a regular expression for whole names, or all-linear",
		schema: schemaObject{"anyOf": []schemaObject{name.schema, listOf(name.schema)}},
		read: func(n ast.Node) (lora.Targets, bool) {
			pattern, ok := name.read(n)
			return lora.Targets{Pattern: pattern}, ok
		},
		format: func(t lora.Targets) string {
			if t.Pattern != "" {
				return lora.QuoteText(t.Pattern)
			}
			return "[" + strings.Join(mapSlice(t.List, lora.QuoteText), ", ") + "]"
		},
	}
}

// regexpCodec reads a name that PEFT takes for a part of a regular expression.
func regexpCodec() codec[string] {
	c := textCodec("a name")
	read := c.read
	c.read = func(n ast.Node) (string, bool) {
		s, ok := read(n)
		return s, ok && lora.CheckPattern("", s) == nil
	}
	return c
}

// targetReader reads a key that selects modules. Because PEFT lets the key itself be a list, it is an axis only as a list of
// lists, in which some words may stand too.
type targetReader struct {
	path  string
	field func(*Grid) *[]lora.Targets
	words []string // that may stand among lists
	none  bool     // an empty list among lists selects nothing
}

func (t targetReader) read(r *reader, n ast.Node) {
	items := []ast.Node{n}
	sequence, _ := n.(*ast.SequenceNode)
	isAxis := sequence != nil && slices.ContainsFunc(sequence.Values, isSequence)
	if isAxis {
		items = sequence.Values
	}
	c := targetsCodec()
	seen := map[string]bool{}
	var values []lora.Targets
	for _, item := range items {
		v, ok := t.one(r, c, item, isAxis)
		if !ok {
			continue
		}
		if isAxis && v.Pattern != "" && !slices.Contains(t.words, v.Pattern) {
			r.fail(item, "%s: %s stands beside lists; in a list of lists write [%s]", t.path, describe(item), v.Pattern)
		}
		r.once(seen, item, t.path, c.format(v))
		values = append(values, v)
	}
	*t.field(&r.grid) = values
}

// one reads one value of the axis: names or a pattern that compiles.
func (t targetReader) one(r *reader, c codec[lora.Targets], n ast.Node, inAxis bool) (lora.Targets, bool) {
	if isSequence(n) {
		if t.none && inAxis && len(n.(*ast.SequenceNode).Values) == 0 {
			return lora.Targets{}, true
		}
		names, ok := readList(r, t.path, textCodec("a module name"), n)
		return lora.Targets{List: names}, ok
	}
	v, ok := c.value(r, t.path, n)
	if !ok {
		return lora.Targets{}, false
	}
	if _, err := regexp.Compile(v.Pattern); err != nil {
		r.fail(n, "%s: not a regular expression in Go's RE2 syntax, which has no look-around: %v", t.path, err)
		return lora.Targets{}, false
	}
	return v, true
}

// nestedKey is a key whose value is one T or a list of them; it is an axis only as a list of lists, in which [] means not set.
func nestedKey[T any](path, doc string, c codec[T], field func(*Grid) *[][]T, set func(*trial.Spec, []T)) key {
	list := codec[[]T]{
		want:   c.want + ", or a list of such values",
		format: func(v []T) string { return "[" + strings.Join(mapSlice(v, c.format), ", ") + "]" },
	}
	k := axisKey(path, doc, list, field, set).quiet("[]")
	k.schema = nestedSchema(c.schema)
	k.read = func(r *reader, n ast.Node) {
		items := []ast.Node{n}
		sequence, _ := n.(*ast.SequenceNode)
		isAxis := sequence != nil && slices.ContainsFunc(sequence.Values, isSequence)
		if isAxis {
			items = sequence.Values
		}
		var values [][]T
		seen := map[string]bool{}
		for _, item := range items {
			var v []T
			switch inner, _ := item.(*ast.SequenceNode); {
			case isAxis && inner == nil:
				r.fail(item, "%s: %s stands beside lists; in a list of lists write [%s]", path, describe(item), describe(item))
				continue
			case !isAxis || len(inner.Values) > 0:
				var ok bool
				if v, ok = readList(r, path, c, item); !ok {
					continue
				}
			}
			r.once(seen, item, path, list.format(v))
			values = append(values, v)
		}
		*field(&r.grid) = values
	}
	return k
}

// quiet marks an axis whose standard value says nothing: it is not set then, and cells do not mention it.
func (k key) quiet(standard string) key {
	cell := k.axis.cell
	k.axis.cell = func(s *trial.Spec, g *Grid, i int) string {
		if text := cell(s, g, i); text != standard || k.axis.size(g) > 1 {
			return text
		}
		return ""
	}
	if standard == "[]" {
		return k.optional(standard)
	}
	return k
}

// patternKey is a mapping from patterns of module names to numbers.
func patternKey[T int | float64](path, doc string, c codec[T], field func(*Grid) *lora.Patterns) key {
	return key{
		path: path, doc: doc,
		schema: schemaObject{"type": "object", "additionalProperties": c.schema, "minProperties": 1},
		read:   func(r *reader, n ast.Node) { *field(&r.grid) = readPatterns(r, path, c, n) },
		text:   func(g *Grid) string { return (*field(g)).String() },
	}
}

func readPatterns[T int | float64](r *reader, path string, c codec[T], n ast.Node) lora.Patterns {
	m, ok := n.(*ast.MappingNode)
	if !ok || len(m.Values) == 0 {
		r.fail(n, "%s: got %s, want a mapping from module names to numbers, such as {c_proj: 4}", path, describe(n))
		return nil
	}
	var all lora.Patterns
	for _, entry := range m.Values {
		name, ok := keyName(entry.Key)
		if !ok {
			r.fail(entry.Key, "%s: a pattern must be text; quote it", path)
			continue
		}
		if err := lora.CheckPattern(path, name); err != nil {
			r.fail(entry.Key, "%v", err)
			continue
		}
		if slices.ContainsFunc(all, func(p lora.Pattern) bool { return p.Key == name }) {
			r.fail(entry.Key, "%s: %s is repeated; remove one", path, name)
			continue
		}
		if v, ok := c.value(r, path+"."+name, entry.Value); ok {
			all = append(all, lora.Pattern{Key: name, Value: float64(v)})
		}
	}
	return all
}

// unset marks an axis whose standard value means that the key is not set; cells do not mention it then.
func (k key) unset(standard string) key { return k.quiet(standard).optional(standard) }

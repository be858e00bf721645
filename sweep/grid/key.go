package grid

import (
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"

	"github.com/ranksweep/ranksweep/sweep/trial"
)

// key is one key of the grid file.
type key struct {
	path    string // with its section: lora.rank
	doc     string
	example string // what to write where the key is missing; empty when it may be
	schema  schemaObject
	read    func(r *reader, n ast.Node)
	text    func(g *Grid) string // canonical: equal texts mean equal values; "" when not set
	axis    *axis                // nil when the key is no axis
	list    bool                 // one value means a list of it
}

// axis is a key that may have several values, each of which is a cell of its own.
type axis struct {
	size func(g *Grid) int
	set  func(s *trial.Spec, g *Grid, i int) // the i-th value; rank is set before
	cell func(s *trial.Spec, g *Grid, i int) string
}

// needs makes the key required.
func (k key) needs(example string) key {
	k.example = example
	return k
}

// optional marks a key whose text zero means that it is not set: no such value can be written.
func (k key) optional(zero string) key {
	text := k.text
	k.text = func(g *Grid) string {
		if s := text(g); s != zero {
			return s
		}
		return ""
	}
	return k
}

// singleKey is a key with one value.
func singleKey[T any](path, doc string, c codec[T], field func(*Grid) *T) key {
	return key{
		path: path, doc: doc, schema: c.schema,
		read: func(r *reader, n ast.Node) {
			if v, ok := c.value(r, path, n); ok {
				*field(&r.grid) = v
			}
		},
		text: func(g *Grid) string { return c.format(*field(g)) },
	}
}

// listKey is a key with one value or a list of them, all used together.
func listKey[T any](path, doc string, c codec[T], field func(*Grid) *[]T) key {
	return key{
		path: path, doc: doc, schema: oneOrMore(c.schema), list: true,
		read: func(r *reader, n ast.Node) {
			if values, ok := readList(r, path, c, n); ok {
				*field(&r.grid) = values
			}
		},
		text: func(g *Grid) string { return formatList(c, *field(g)) },
	}
}

// axisKey is a key with one value or a list of them, each a cell of its own.
func axisKey[T any](path, doc string, c codec[T], field func(*Grid) *[]T, set func(*trial.Spec, T)) key {
	k := listKey(path, doc, c, field)
	k.axis = &axis{
		size: func(g *Grid) int { return len(*field(g)) },
		set:  func(s *trial.Spec, g *Grid, i int) { set(s, (*field(g))[i]) },
		cell: func(_ *trial.Spec, g *Grid, i int) string { return c.format((*field(g))[i]) },
	}
	return k
}

// readList reads one value or a list without repetitions.
func readList[T any](r *reader, path string, c codec[T], n ast.Node) ([]T, bool) {
	sequence, ok := n.(*ast.SequenceNode)
	if !ok {
		v, ok := c.value(r, path, n)
		return []T{v}, ok
	}
	if len(sequence.Values) == 0 {
		r.fail(n, "%s: the list is empty; want %s, or a list of such values", path, c.want)
		return nil, false
	}
	var values []T
	seen := map[string]bool{}
	for _, item := range sequence.Values {
		v, ok := c.value(r, path, item)
		if !ok {
			continue
		}
		r.once(seen, item, path, c.format(v))
		values = append(values, v)
	}
	return values, len(values) == len(sequence.Values)
}

// once fails on a value that was seen before.
func (r *reader) once(seen map[string]bool, item ast.Node, path, text string) {
	if seen[text] {
		r.fail(item, "%s: %s is repeated; remove one", path, text)
	}
	seen[text] = true
}

// formatList writes one value bare and several in brackets.
func formatList[T any](c codec[T], values []T) string {
	if len(values) == 0 {
		return ""
	}
	texts := mapSlice(values, c.format)
	if len(texts) == 1 {
		return texts[0]
	}
	return "[" + strings.Join(texts, ", ") + "]"
}

// findKey returns the key of a path.
func findKey(path string) (key, bool) {
	keys := gridKeys()
	if i := slices.IndexFunc(keys, func(k key) bool { return k.path == path }); i >= 0 {
		return keys[i], true
	}
	return key{}, false
}

// sectionNames are the mappings at the top of a grid.
func sectionNames() []string { return []string{"data", "lora", "train", "plateau", "limits"} }

// keysOf returns the names in a section, or, for "", the names at the top, in the table's order.
func keysOf(section string) []string {
	var names []string
	for _, k := range gridKeys() {
		home, name := splitPath(k.path)
		if section == "" && home != "" {
			home, name = "", home
		}
		if home == section && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

func requiredPaths() []string {
	var paths []string
	for _, k := range gridKeys() {
		if k.example != "" {
			paths = append(paths, k.path)
		}
	}
	return paths
}

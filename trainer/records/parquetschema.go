package records

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"
)

// Limits on a parquet file's schema. The library spells out every column's path, so that names, depth and columns multiply;
// what is trained on lies at most some levels deep, and a wide table has some thousand columns, a list of texts three nodes each.
const (
	schemaDepth = 32
	schemaNodes = 30_000
)

// checkSchema refuses a schema beyond the limits. It decodes of a footer no more than it looks at.
func checkSchema(footer []byte) error {
	var f struct {
		Schema []struct {
			Type     thrift.Null[format.Type] `thrift:"1,optional"`
			Children thrift.Null[int32]       `thrift:"5,optional"`
		} `thrift:"2"`
	}
	if err := thrift.Unmarshal(new(thrift.CompactProtocol), footer, &f); err != nil {
		return fmt.Errorf("%w: %w", errThrift, err)
	}
	if n := len(f.Schema); n > schemaNodes {
		return fmt.Errorf("a schema of %d nodes, more than %d: write it with the columns to train on only", n, schemaNodes)
	}
	var open []int32 // of each node around the next one, the children that are yet to come
	for _, node := range f.Schema {
		for len(open) > 0 && open[len(open)-1] == 0 {
			open = open[:len(open)-1]
		}
		if n := len(open); n > 0 {
			open[n-1]--
		}
		if !node.Type.Valid {
			open = append(open, max(0, node.Children.V))
		}
		if len(open) > schemaDepth {
			return fmt.Errorf("columns nested more than %d levels deep are not supported: write it with the columns to train on only", schemaDepth)
		}
	}
	return nil
}

// shortened cuts an error's text, which may quote a file's names at any length.
func shortened(err error) error {
	if err == nil || len(err.Error()) <= maxQuoted {
		return err
	}
	return errors.New(cut(err.Error()))
}

// maxQuoted is how many bytes of what a file says a message shows.
const maxQuoted = 300

func cut(s string) string {
	if len(s) <= maxQuoted {
		return s
	}
	return fmt.Sprintf("%.*s…", maxQuoted, s)
}

// leaf is one column of a file that record has a field for.
type leaf struct {
	field  string // of record
	key    string // of a message; empty where the column holds no messages
	index  int    // among the file's leaves
	path   string
	text   bool // else token ids
	levels levels
	item   int // the definition level from which on a list has an entry
}

// recordColumns finds the columns of record in a schema and checks their types.
func recordColumns(schema *parquet.Schema) (leaves []leaf, err error) {
	defer recovered(&err)
	var names []string
	for _, field := range schema.Fields() {
		names = append(names, field.Name())
	}
	form := tableForm(names)
	if len(form) == 0 {
		return nil, fmt.Errorf("no column to train on (columns: %s): want %s", cut(strings.Join(names, ", ")), wantedColumns)
	}
	for _, path := range schema.Columns() {
		if !slices.Contains(form, path[0]) {
			continue
		}
		l, err := newLeaf(schema, path)
		if err != nil {
			return nil, fmt.Errorf("column %s: %w", cut(strings.Join(path, ".")), err)
		}
		leaves = append(leaves, l)
	}
	return leaves, nil
}

func newLeaf(schema *parquet.Schema, path []string) (leaf, error) {
	column, ok := schema.Lookup(path...)
	if !ok {
		return leaf{}, errThrift
	}
	kind := column.Node.Type().Kind()
	l := leaf{
		field: path[0], index: column.ColumnIndex, path: cut(strings.Join(path, ".")), text: kind == parquet.ByteArray,
		levels: levels{column.MaxRepetitionLevel, column.MaxDefinitionLevel},
	}
	list := l.levels.repetition > 0
	if l.levels.repetition > 1 {
		return leaf{}, errors.New("a list within a list is not supported: write it as jsonl")
	}
	switch l.field {
	case "text", "prompt", "completion", "messages":
		var below []string
		l.item, below = listOf(schema, path)
		plain, chat := !list && len(below) == 0 && l.field != "messages", list && 0 < len(below) && len(below) < 3 && l.field != "text"
		if !l.text || !plain && !chat {
			return leaf{}, errors.New("not text, nor a list of messages with texts only (role, content): write what is nested as jsonl")
		}
		if chat {
			l.key = below[len(below)-1]
		}
	default:
		l.item, _ = listOf(schema, path)
		if kind != parquet.Int32 && kind != parquet.Int64 || !list {
			return leaf{}, errors.New("not a list of whole numbers")
		}
	}
	return l, nil
}

// listOf returns the definition level from which on the list of a path has an entry, and the names below its repeated node.
func listOf(schema *parquet.Schema, path []string) (level int, below []string) {
	node := parquet.Node(schema)
	for depth, name := range path {
		i := slices.IndexFunc(node.Fields(), func(f parquet.Field) bool { return f.Name() == name })
		node = node.Fields()[i]
		if node.Optional() || node.Repeated() {
			level++
		}
		if node.Repeated() {
			return level, path[depth+1:]
		}
	}
	return level, path[1:]
}

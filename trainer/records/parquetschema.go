package records

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/parquet-go/parquet-go/deprecated"
	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"
)

// Limits on a parquet file's metadata. What is trained on lies at most some levels deep, and a wide table has some thousand
// columns, a list of texts three nodes each.
const (
	maxFooter   = 16 << 20
	schemaDepth = 32
	schemaNodes = 30_000
)

// parquetFooter is what is read of a parquet file's metadata.
type parquetFooter struct {
	Schema    []schemaElement   `thrift:"2"`
	NumRows   int64             `thrift:"3"`
	RowGroups []parquetRowGroup `thrift:"4"`

	root *node
}

// schemaElement is a node of the schema; they are listed depth first.
type schemaElement struct {
	Type        thrift.Null[format.Type]                `thrift:"1,optional"` // of a leaf
	Size        int32                                   `thrift:"2,optional"` // of fixed-length values, in bytes
	Repetition  thrift.Null[format.FieldRepetitionType] `thrift:"3,optional"`
	Name        string                                  `thrift:"4"`
	Children    int32                                   `thrift:"5,optional"`
	Converted   thrift.Null[deprecated.ConvertedType]   `thrift:"6,optional"`
	Scale       int32                                   `thrift:"7,optional"`
	LogicalType format.LogicalType                      `thrift:"10,optional"`
}

type parquetRowGroup struct {
	Columns []parquetChunk `thrift:"1"`
	NumRows int64          `thrift:"3"`
}

type parquetChunk struct {
	Meta chunkMeta `thrift:"3,optional"`
}

type chunkMeta struct {
	Codec          format.CompressionCodec `thrift:"4"`
	CompressedSize int64                   `thrift:"7"`
	DataOffset     int64                   `thrift:"9"`
	DictOffset     int64                   `thrift:"11,optional"`
}

// readFooter reads a file's metadata. What it claims is checked before room is made for it.
func readFooter(f io.ReaderAt, size int64) (*parquetFooter, error) {
	var tail [8]byte
	if size < 12 {
		return nil, errors.New("not a parquet file: too short")
	}
	if _, err := f.ReadAt(tail[:], size-8); err != nil {
		return nil, err
	}
	if string(tail[4:]) != "PAR1" {
		return nil, errors.New("not a parquet file, or one that is encrypted or cut off: it does not end with PAR1")
	}
	n := int64(binary.LittleEndian.Uint32(tail[:]))
	if n > size-12 || n > maxFooter {
		return nil, fmt.Errorf("%w: a footer of %d bytes in a file of %d", errThrift, n, size)
	}
	body := make([]byte, n)
	if _, err := f.ReadAt(body, size-8-n); err != nil {
		return nil, err
	}
	if _, err := thriftSize(body); err != nil {
		return nil, err
	}
	footer := new(parquetFooter)
	if err := decodeThrift(body, footer); err != nil {
		return nil, err
	}
	var err error
	footer.root, err = readSchema(footer.Schema)
	return footer, err
}

// decodeThrift decodes what thriftSize has checked.
func decodeThrift(body []byte, into any) error {
	if err := thrift.Unmarshal(new(thrift.CompactProtocol), body, into); err != nil {
		return fmt.Errorf("%w: %s", errThrift, cut(err.Error()))
	}
	return nil
}

// maxQuoted is how many bytes of what a file says a message shows.
const maxQuoted = 300

func cut(s string) string {
	if len(s) <= maxQuoted {
		return s
	}
	return fmt.Sprintf("%.*s…", maxQuoted, s)
}

// levels count the repeated nodes from the root to a node, itself included (repetition), and those that are repeated or optional
// (definition).
type levels struct{ repetition, definition int }

// node is a node of the schema: a column, or a part of one.
type node struct {
	schemaElement
	levels
	children []*node
	index    int     // of a leaf, among all leaves
	column   *column // of a leaf that is read
}

func (n *node) optional() bool { return n.Repetition.Valid && n.Repetition.V == format.Optional }
func (n *node) repeated() bool { return n.Repetition.Valid && n.Repetition.V == format.Repeated }

// readSchema makes a tree of a file's schema.
func readSchema(elements []schemaElement) (*node, error) {
	if n := len(elements); n > schemaNodes {
		return nil, fmt.Errorf("a schema of %d nodes, more than %d: write it with the columns to train on only", n, schemaNodes)
	}
	if len(elements) == 0 || elements[0].Type.Valid {
		return nil, errThrift
	}
	elements[0].Repetition = thrift.Null[format.FieldRepetitionType]{}
	leaves := 0
	root, _, err := readNode(elements, levels{}, 0, &leaves)
	return root, err
}

// readNode reads the first of elements with all that lies below it, and returns the elements that follow.
func readNode(elements []schemaElement, above levels, depth int, leaves *int) (n *node, rest []schemaElement, err error) {
	if len(elements) == 0 {
		return nil, nil, errThrift
	}
	if depth > schemaDepth {
		return nil, nil, fmt.Errorf("columns nested more than %d levels deep are not supported: write it with the columns to train on only",
			schemaDepth)
	}
	n = &node{schemaElement: elements[0], levels: above, index: *leaves}
	if n.LogicalType.Value == nil && n.Converted.Valid {
		n.LogicalType.Value = logicalType(n.Converted.V)
	}
	if rest = elements[1:]; n.repeated() {
		n.repetition++
	}
	if n.repeated() || n.optional() {
		n.definition++
	}
	if n.Type.Valid {
		*leaves++
		return n, rest, nil
	}
	for range n.Children {
		var child *node
		if child, rest, err = readNode(rest, n.levels, depth+1, leaves); err != nil {
			return nil, nil, err
		}
		n.children = append(n.children, child)
	}
	if len(n.children) == 0 && depth > 0 {
		return nil, nil, errThrift
	}
	return n, rest, nil
}

// leaves hands every leaf at or below n to visit until that fails.
func (n *node) leaves(visit func(*node) error) error {
	if n.Type.Valid {
		return visit(n)
	}
	for _, child := range n.children {
		if err := child.leaves(visit); err != nil {
			return err
		}
	}
	return nil
}

// first returns the first leaf at or below n.
func (n *node) first() *node {
	for !n.Type.Valid {
		n = n.children[0]
	}
	return n
}

func (n *node) isList() bool {
	_, ok := n.LogicalType.Value.(*format.ListType)
	return ok && n.wraps()
}

func (n *node) isMap() bool {
	_, ok := n.LogicalType.Value.(*format.MapType)
	return ok && n.wraps() && len(n.children[0].children) == 2
}

// wraps reports whether n is a group around one repeated node, as lists and maps are.
func (n *node) wraps() bool { return len(n.children) == 1 && n.children[0].repeated() }

// element returns what a repeated node of a list repeats: its only child, or itself as older writers have it (LogicalTypes.md of
// Apache Parquet 2.12, backward compatibility rules).
func (n *node) element(list *node) *node {
	if n.Type.Valid || len(n.children) != 1 || slices.Contains([]string{"array", list.Name + "_tuple"}, n.Name) {
		return n
	}
	return n.children[0]
}

// unsigned reports whether a whole number has no sign.
func (n *node) unsigned() bool {
	t, ok := n.LogicalType.Value.(*format.IntType)
	return ok && !t.IsSigned
}

// logicalType is what older writers call by another name.
func logicalType(old deprecated.ConvertedType) format.LogicalTypeValue {
	switch old {
	case deprecated.List:
		return new(format.ListType)
	case deprecated.Map, deprecated.MapKeyValue:
		return new(format.MapType)
	case deprecated.Uint8, deprecated.Uint16, deprecated.Uint32, deprecated.Uint64:
		return new(format.IntType)
	case deprecated.Date:
		return new(format.DateType)
	case deprecated.Decimal:
		return new(format.DecimalType)
	case deprecated.TimestampMillis:
		return &format.TimestampType{IsAdjustedToUTC: true, Unit: format.TimeUnit{Value: new(format.MilliSeconds)}}
	case deprecated.TimestampMicros:
		return &format.TimestampType{IsAdjustedToUTC: true, Unit: format.TimeUnit{Value: new(format.MicroSeconds)}}
	default:
		return nil
	}
}

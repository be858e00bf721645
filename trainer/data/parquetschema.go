package data

import (
	"errors"
	"fmt"

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

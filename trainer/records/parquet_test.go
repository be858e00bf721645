package records

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"

	"github.com/ranksweep/ranksweep/sweep/trial"
	"github.com/ranksweep/ranksweep/trainer/records/recordstest"
)

func TestParquetRefusesOtherColumns(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	null := []parquetText{{1, new("a")}, {2, nil}}
	type number struct {
		Text float64 `parquet:"text"`
	}
	type other struct {
		Body string `parquet:"body"`
	}
	type inner struct {
		Values []int32 `parquet:"values,list"`
	}
	type nested struct {
		InputIDs []inner `parquet:"input_ids,list"`
	}
	type large struct {
		InputIDs []int64 `parquet:"input_ids,list"`
	}
	cases := map[string]struct{ path, want string }{
		"other":  {recordstest.WriteParquet(t, dir+"/other.parquet", []other{{"x"}}), "other.parquet: no column to train on (columns: body)"},
		"null":   {recordstest.WriteParquet(t, dir+"/null.parquet", null), "null.parquet, row 2: no column to train on (columns: text)"},
		"number": {recordstest.WriteParquet(t, dir+"/number.parquet", []number{{1}}), "column text: not text"},
		"nested": {recordstest.WriteParquet(t, dir+"/nested.parquet", []nested{{[]inner{{[]int32{1}}}}}), "a list within a list"},
		"large":  {recordstest.WriteParquet(t, dir+"/large.parquet", []large{{[]int64{1 << 40}}}), "large.parquet, row 1: column input_ids"},
		"bytes": {
			recordstest.WriteParquet(t, dir+"/bytes.parquet", []parquetText{{1, new("a\xff")}}),
			"bytes.parquet, row 1: column text: not UTF-8",
		},
		"brotli": {
			recordstest.WriteParquet(t, dir+"/brotli.parquet", null, parquet.Compression(&parquet.Brotli)),
			"compression BROTLI is not supported: write it with snappy",
		},
		"trimmed": {recordstest.Write(t, dir, "trimmed.parquet", "PAR1....PAR0"), "does not end with PAR1"},
	}
	for name, c := range cases {
		if err := read(t.Context(), c.path); !errors.Is(err, trial.ErrInput) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want an input error with %q", name, err, c.want)
		}
	}
}

// TestSchemaLimits: what people write is far within the limits, also many lists.
func TestSchemaLimits(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		depth, leaves int
		ok            bool
	}{
		"a wide table": {1, 10_000, true}, "at the depth": {32, 1, true}, "beyond the depth": {33, 1, false}, "too wide": {1, 30_000, false},
	} {
		nodes := slices.Repeat([]format.SchemaElement{{Name: "n", NumChildren: thrift.New(int32(1))}}, c.depth)
		nodes[c.depth-1].NumChildren = thrift.New(int32(c.leaves))
		nodes = append(nodes, slices.Repeat([]format.SchemaElement{{Name: "text", Type: thrift.New(format.ByteArray)}}, c.leaves)...)
		if err := checkSchema(encodeThrift(t, format.FileMetaData{Version: 1, Schema: nodes})); (err == nil) != c.ok {
			t.Errorf("%s: checkSchema = %v, want it accepted: %v", name, err, c.ok)
		}
	}
}

// parquetText is a row of text.
type parquetText struct {
	ID   int64   `parquet:"id"`
	Text *string `parquet:"text,optional,dict"`
}

// parquetPair is a row of prompt and completion.
type parquetPair struct {
	Prompt     string `parquet:"prompt"`
	Completion string `parquet:"completion"`
}

// parquetIDs is a pre-tokenised row.
type parquetIDs struct {
	InputIDs []int64 `parquet:"input_ids,list"`
	Labels   []int32 `parquet:"labels,list"`
}

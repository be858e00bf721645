package records

import (
	"encoding/binary"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"
	"github.com/pierrec/lz4/v4"

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
		"number": {recordstest.WriteParquet(t, dir+"/number.parquet", []number{{1}}), "row 1: column text: it holds a number, want text"},
		"nested": {
			recordstest.WriteParquet(t, dir+"/nested.parquet", []nested{{[]inner{{[]int32{1}}}}}),
			"row 1: column input_ids: it holds an object, want a list of token ids",
		},
		"large": {recordstest.WriteParquet(t, dir+"/large.parquet", []large{{[]int64{1 << 40}}}), "large.parquet, row 1: column input_ids"},
		"bytes": {
			recordstest.WriteParquet(t, dir+"/bytes.parquet", []parquetText{{1, new("a\xff")}}),
			"bytes.parquet, row 1: column text: not UTF-8",
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
		var footer parquetFooter
		err := decodeThrift(encodeThrift(t, format.FileMetaData{Version: 1, Schema: nodes}), &footer)
		if err == nil {
			_, err = readSchema(footer.Schema)
		}
		if (err == nil) != c.ok {
			t.Errorf("%s: readSchema = %v, want it accepted: %v", name, err, c.ok)
		}
	}
}

// TestOldLZ4: what Hadoop wrote under the name LZ4, and what others did.
func TestOldLZ4(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	text := strings.Repeat("abcdefgh", 100)
	number := func(n int) []byte { return binary.BigEndian.AppendUint32(nil, uint32(n)) }
	for name, pack := range map[string]func(page []byte) []byte{
		"one block": func(page []byte) []byte {
			return slices.Concat(number(len(page)), number(len(block(t, page))), block(t, page))
		},
		"blocks of one size": func(page []byte) []byte {
			a, b := block(t, page[:500]), block(t, page[500:])
			return slices.Concat(number(len(page)), number(len(a)), a, number(len(b)), b)
		},
		"sizes of their own": func(page []byte) []byte {
			a, b := block(t, page[:500]), block(t, page[500:])
			return slices.Concat(number(500), number(len(a)), a, number(len(page)-500), number(len(b)), b)
		},
		"a bare block": func(page []byte) []byte { return block(t, page) },
	} {
		path := forge(t, dir, name, func(p *forged) {
			body := slices.Concat([]byte{2, 0, 0, 0}, p.levels, binary.LittleEndian.AppendUint32(nil, uint32(len(text))), []byte(text))
			p.codec, p.page, p.unpacked = format.Lz4, pack(body), int32(len(body))
		})
		for doc, err := range (Input{Kind: KindParquet, Name: path, Size: fileSize(t, path)}).Documents(t.Context()) {
			if err != nil || doc.Text != text {
				t.Errorf("%s: %q, %v", name, doc.Text, err)
			}
		}
	}
}

func block(t *testing.T, page []byte) []byte {
	t.Helper()
	out := make([]byte, lz4.CompressBlockBound(len(page)))
	n, err := lz4.CompressBlock(page, out, nil)
	if n == 0 || err != nil {
		t.Fatal(n, err)
	}
	return out[:n]
}

func fileSize(t *testing.T, path string) int64 {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Size()
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

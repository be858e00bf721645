package records

import (
	"bytes"
	stdcmp "cmp"
	"context"
	"encoding/binary"
	"errors"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"

	"github.com/ranksweep/ranksweep/sweep/trial"
	"github.com/ranksweep/ranksweep/trainer/records/recordstest"
)

// grown runs f and returns how much memory was taken from the heap meanwhile, what was freed again included.
func grown(f func()) int64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return int64(after.TotalAlloc - before.TotalAlloc)
}

// read reads all documents of a file and returns the first error.
func read(ctx context.Context, path string) error {
	inputs, err := NewResolver(nil).Resolve(ctx, []string{path})
	if err != nil {
		return err
	}
	for _, in := range inputs {
		for _, err := range in.Documents(ctx) {
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// forged is a parquet file of one page with one text, to be damaged.
type forged struct {
	codec                    format.CompressionCodec
	encoding                 format.Encoding
	levels, body             []byte
	page                     []byte // of levels and body, where nil
	values, packed, unpacked int32  // of page, where 0
}

func forge(t testing.TB, dir, name string, edit func(*forged)) string {
	t.Helper()
	p := forged{encoding: format.Plain, levels: []byte{2, 1}, body: []byte("\x01\x00\x00\x00a"), values: 1}
	edit(&p)
	if p.page == nil {
		p.page = slices.Concat(binary.LittleEndian.AppendUint32(nil, uint32(len(p.levels))), p.levels, p.body)
	}
	header := format.PageHeader{
		Type: format.DataPage, CompressedPageSize: stdcmp.Or(p.packed, int32(len(p.page))),
		UncompressedPageSize: stdcmp.Or(p.unpacked, int32(len(p.page))),
		DataPageHeader: thrift.New(format.DataPageHeader{
			NumValues: p.values, Encoding: p.encoding, DefinitionLevelEncoding: format.RLE, RepetitionLevelEncoding: format.RLE,
		}),
	}
	body := slices.Concat(encodeThrift(t, header), p.page)
	file := slices.Concat([]byte("PAR1"), body)
	footer := encodeThrift(t, format.FileMetaData{
		Version: 1, NumRows: 1,
		Schema: []format.SchemaElement{
			{Name: "schema", NumChildren: thrift.New(int32(1))},
			{Name: "text", Type: thrift.New(format.ByteArray), RepetitionType: thrift.New(format.Optional)},
		},
		RowGroups: []format.RowGroup{{NumRows: 1, TotalByteSize: int64(len(body)), Columns: []format.ColumnChunk{{
			FileOffset: 4, MetaData: format.ColumnMetaData{
				Type: format.ByteArray, Encoding: []format.Encoding{p.encoding}, PathInSchema: []string{"text"}, Codec: p.codec, NumValues: 1,
				TotalUncompressedSize: int64(len(body)), TotalCompressedSize: int64(len(body)), DataPageOffset: 4,
			},
		}}}},
	})
	file = append(file, footer...)
	file = binary.LittleEndian.AppendUint32(file, uint32(len(footer)))
	return recordstest.Write(t, dir, name+".parquet", string(file)+"PAR1")
}

func encodeThrift(t testing.TB, v any) []byte {
	t.Helper()
	b, err := thrift.Marshal(new(thrift.CompactProtocol), v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestHostileFilesAreErrors: a few bytes must not take the machine's memory. It does not run beside others, for it
// measures.
func TestHostileFilesAreErrors(t *testing.T) { //nolint:paralleltest // see above
	dir := t.TempDir()
	footer := func(b ...byte) string {
		return "PAR1" + string(b) + string(binary.LittleEndian.AppendUint32(nil, uint32(len(b)))) + "PAR1"
	}
	schema := func(depth, leaves int) string {
		elements := slices.Repeat([]format.SchemaElement{{Name: strings.Repeat("n", 20), NumChildren: thrift.New(int32(1))}}, depth)
		elements[depth-1].NumChildren = thrift.New(int32(leaves))
		leaf := format.SchemaElement{Name: "text", Type: thrift.New(format.ByteArray), RepetitionType: thrift.New(format.Optional)}
		return footer(encodeThrift(t, format.FileMetaData{
			Version: 1,
			Schema:  append(elements, slices.Repeat([]format.SchemaElement{leaf}, leaves)...),
		})...)
	}
	uvarint := func(v uint64) []byte { return binary.AppendUvarint(nil, v) }
	long := filepath.Join(dir, "long.jsonl")
	if err := os.WriteFile(long, nil, 0o666); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(long, maxRecord+1); err != nil { // takes no place on the disk
		t.Fatal(err)
	}
	longCSV := filepath.Join(dir, "long.csv")
	if err := os.WriteFile(longCSV, []byte("text\n\""), 0o666); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(longCSV, 2*maxRecord); err != nil {
		t.Fatal(err)
	}
	cases := map[string]struct{ path, want string }{
		"an endless line": {long, "long.jsonl:1: longer than 16 MiB"},
		"an endless cell": {longCSV, "long.csv:2: longer than 16 MiB"},
		"a bomb of a line": {
			recordstest.Write(t, dir, "bomb.jsonl.gz", recordstest.Gzip(t, strings.Repeat(" ", 100<<20))),
			"bomb.jsonl.gz:1: longer than 16 MiB",
		},
		"a bomb of a text": {
			recordstest.Write(t, dir, "bomb.txt.gz", recordstest.Gzip(t, strings.Repeat("a", 300<<20))),
			"bomb.txt.gz: more than 9 MiB of text when unpacked",
		},
		"an absurd footer": {recordstest.Write(t, dir, "footer.parquet", "PAR1\x00\xff\xff\xff\x7fPAR1"), "a footer of 2147483647 bytes"},
		"an absurd list": {
			recordstest.Write(t, dir, "list.parquet", footer(append([]byte{0x29, 0xfc}, uvarint(1<<31-1)...)...)),
			"metadata is damaged",
		},
		"an absurd text": {
			recordstest.Write(t, dir, "text.parquet", footer(append([]byte{0x68}, uvarint(1<<31-1)...)...)),
			"metadata is damaged",
		},
		"a deep nest":   {recordstest.Write(t, dir, "deep.parquet", footer(bytes.Repeat([]byte{0x1c}, 10000)...)), "metadata is damaged"},
		"a deep schema": {recordstest.Write(t, dir, "deepschema.parquet", schema(4000, 1)), "columns nested more than 32 levels deep"},
		"a wide schema": {
			recordstest.Write(t, dir, "wideschema.parquet", schema(250, 600_000)),
			"a schema of 600250 nodes, more than 30000",
		},
		"a page that grows": {forge(t, dir, "grows",
			func(p *forged) { p.codec, p.page = format.Snappy, append(uvarint(1<<31-1), 0, 0) }), "does not unpack to the"},
		"a page of 2 GiB": {
			forge(t, dir, "large", func(p *forged) { p.unpacked = math.MaxInt32 }),
			"a page of 2047 MiB, more than 256 MiB",
		},
		"a page of many values": {forge(t, dir, "values", func(p *forged) { p.values = math.MaxInt32 }), "a page of 2147483647 values"},
		"a gzip bomb": {forge(t, dir, "gzip", func(p *forged) {
			p.codec, p.page, p.unpacked = format.Gzip, []byte(recordstest.Gzip(t, strings.Repeat("a", 100<<20))), 10
		}), "does not unpack to the 10 bytes"},
		"absurd delta lengths": {forge(t, dir, "delta", func(p *forged) {
			p.encoding, p.body = format.DeltaLengthByteArray, slices.Concat(uvarint(128), uvarint(4), uvarint(1<<40), uvarint(0))
		}), "metadata is damaged"},
		"a page beyond the file": {forge(t, dir, "beyond", func(p *forged) { p.packed = 1 << 27 }), "a page is cut off"},
	}
	if err := read(t.Context(), forge(t, dir, "good", func(*forged) {})); err != nil {
		t.Fatalf("the file that the others are made of: %v", err)
	}
	for name, c := range cases {
		var err error
		used := grown(func() { err = read(t.Context(), c.path) })
		if !errors.Is(err, trial.ErrInput) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want an input error with %q", name, err, c.want)
		}
		if used > 400<<20 { // a line of 16 MiB, read into a buffer that doubles
			t.Errorf("%s: %d MiB were taken", name, used>>20)
		}
		if err != nil && len(err.Error()) > 1000 {
			t.Errorf("%s: a message of %d bytes", name, len(err.Error()))
		}
	}
}

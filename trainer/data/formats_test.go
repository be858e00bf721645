package data

import (
	"bytes"
	stdcmp "cmp"
	"compress/gzip"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress"
	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"

	"github.com/ranksweep/ranksweep/sweep/trial"
)

// samplesOf returns ids, labels and text of the rows of a file, unpacked.
func samplesOf(t *testing.T, path string, edit func(*trial.DataSpec)) ([]Sample, []string) {
	t.Helper()
	spec := trial.DataSpec{Train: []string{path}, Validation: []string{path}, SequenceLength: 64}
	if edit != nil {
		edit(&spec)
	}
	samples, warnings, err := Samples(t.Context(), goldenSource(t, spec), 0)
	if err != nil {
		t.Fatal(err)
	}
	for i := range samples {
		samples[i].Tokens = nil
	}
	return samples, warnings
}

func packed(t *testing.T, text string) string {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

type parquetText struct {
	ID   int64   `parquet:"id"`
	Text *string `parquet:"text,optional,dict"`
}

type parquetPair struct {
	Prompt     string `parquet:"prompt"`
	Completion string `parquet:"completion"`
}

type parquetIDs struct {
	InputIDs []int64 `parquet:"input_ids,list"`
	Labels   []int32 `parquet:"labels,list"`
}

// writeParquet writes rows as parquet.
func writeParquet[T any](t testing.TB, path string, rows []T, options ...parquet.WriterOption) string {
	t.Helper()
	var b bytes.Buffer
	w := parquet.NewGenericWriter[T](&b, options...)
	if _, err := w.Write(rows); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return write(t, filepath.Dir(path), filepath.Base(path), b.String())
}

// TestFormatsAgree reads the same rows from every format that can hold them.
func TestFormatsAgree(t *testing.T) {
	t.Parallel()
	tok := loadGolden(t, "tokenizer.json")
	dir := t.TempDir()
	texts := []string{"Anne walked on.", "She said \"no\",\nand went.", "€ 5\tonly"}
	var jsonl, csv, tsv strings.Builder
	csv.WriteString("\uFEFFid,text\r\n")
	tsv.WriteString("text\tid\n")
	var table []parquetText
	var want []Sample
	for i, text := range texts {
		fmt.Fprintf(&jsonl, "{\"text\": %q, \"id\": %d}\n\n", text, i)
		quoted := `"` + strings.ReplaceAll(text, `"`, `""`) + `"`
		fmt.Fprintf(&csv, "%d,%s\r\n", i, quoted)
		fmt.Fprintf(&tsv, "%s\t%d\n", quoted, i)
		table = append(table, parquetText{int64(i), &text})
		ids := append(tok.Encode(text), eos)
		want = append(want, Sample{Text: text + "<|endoftext|>", InputIDs: ids, Labels: ids})
	}
	files := map[string]string{
		"jsonl": write(t, dir, "a.jsonl", jsonl.String()), "ndjson": write(t, dir, "a.NDJSON", strings.TrimSpace(jsonl.String())),
		"csv": write(t, dir, "a.csv", csv.String()), "tsv": write(t, dir, "a.tsv", tsv.String()),
		"jsonl.gz": write(t, dir, "a.jsonl.gz", packed(t, jsonl.String())), "csv.gz": write(t, dir, "a.csv.gz", packed(t, csv.String())),
	}
	for name, codec := range map[string]compress.Codec{
		"none": &parquet.Uncompressed, "snappy": &parquet.Snappy, "gzip": &parquet.Gzip, "zstd": &parquet.Zstd,
	} {
		for version := 1; version <= 2; version++ {
			name := fmt.Sprintf("%s%d.parquet", name, version)
			files[name] = writeParquet(t, filepath.Join(dir, name), table, parquet.Compression(codec), parquet.DataPageVersion(version), parquet.MaxRowsPerRowGroup(2))
		}
	}
	for name, path := range files {
		got, warnings := samplesOf(t, path, nil)
		if diff := cmp.Diff(want, got); diff != "" || len(warnings) > 0 {
			t.Errorf("%s: warnings %q, samples (-want +got):\n%s", name, warnings, diff)
		}
	}
	var text []string
	for doc, err := range Texts(t.Context(), []string{files["csv"]}) {
		if err != nil {
			t.Fatal(err)
		}
		text = append(text, doc)
	}
	if diff := cmp.Diff(texts, text); diff != "" {
		t.Errorf("Texts (-want +got):\n%s", diff)
	}
}

// TestOtherColumnsAreIgnored whatever they hold, in every table format.
func TestOtherColumnsAreIgnored(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	type labelled struct {
		Text   string `parquet:"text"`
		Labels int64  `parquet:"labels"`
	}
	for name, path := range map[string]string{
		"csv":     write(t, dir, "a.csv", "text,labels\nthe sea,1\n"),
		"parquet": writeParquet(t, filepath.Join(dir, "a.parquet"), []labelled{{"the sea", 1}}),
		"labels":  write(t, dir, "a.jsonl", `{"text": "the sea", "labels": 1}`),
		"prompt":  write(t, dir, "b.jsonl", `{"text": "the sea", "prompt": {"a": 1}, "completion": null}`),
		"mask":    write(t, dir, "c.jsonl", `{"text": "the sea", "attention_mask": "none", "messages": null}`),
		"case":    write(t, dir, "d.jsonl", `{"Text": 7, "text": "the sea", "TEXT": "the land"}`),
	} {
		got, _ := samplesOf(t, path, nil)
		if len(got) != 1 || got[0].Text != "the sea<|endoftext|>" {
			t.Errorf("%s: samples = %+v", name, got)
		}
	}
}

func TestGzippedTextIsADocument(t *testing.T) {
	t.Parallel()
	got, _ := samplesOf(t, write(t, t.TempDir(), "a.txt.gz", packed(t, "Hi")), nil)
	if len(got) != 1 || got[0].Text != "Hi<|endoftext|>" {
		t.Errorf("samples = %+v", got)
	}
}

// TestCompletionsAreScored masks the prompt, as TRL's SFTTrainer does.
func TestCompletionsAreScored(t *testing.T) {
	t.Parallel()
	tok := loadGolden(t, "tokenizer.json")
	dir := t.TempDir()
	prompt, answer := tok.Encode("Anne:"), append(tok.Encode(" yes"), eos)
	ids := append(tok.Encode("Anne:"), answer...)
	want := []Sample{{Text: "Anne: yes<|endoftext|>", InputIDs: ids, Labels: append(ignoredLabels(len(prompt)), answer...)}}
	for name, path := range map[string]string{
		"jsonl":   write(t, dir, "a.jsonl", `{"prompt": "Anne:", "completion": " yes"}`),
		"csv":     write(t, dir, "a.csv", "completion,prompt\n\" yes\",Anne:\n"),
		"parquet": writeParquet(t, filepath.Join(dir, "a.parquet"), []parquetPair{{"Anne:", " yes"}}),
		"ended":   write(t, dir, "b.jsonl", `{"prompt": "Anne:", "completion": " yes<|endoftext|>"}`),
	} {
		// packing is for text: a prompt starts a row, whatever packing says.
		got, warnings := samplesOf(t, path, func(s *trial.DataSpec) { s.Packing = true })
		if diff := cmp.Diff(want, got); diff != "" || len(warnings) > 0 {
			t.Errorf("%s: warnings %q, samples (-want +got):\n%s", name, warnings, diff)
		}
		got, _ = samplesOf(t, path, func(s *trial.DataSpec) { s.ScorePrompts = true })
		if diff := cmp.Diff([]Sample{{Text: want[0].Text, InputIDs: ids, Labels: ids}}, got); diff != "" {
			t.Errorf("%s with completion_only_loss: false (-want +got):\n%s", name, diff)
		}
	}
}

func TestATokenAcrossTheBoundaryIsScored(t *testing.T) {
	t.Parallel()
	tok := loadGolden(t, "tokenizer.json")
	path := write(t, t.TempDir(), "a.jsonl", `{"prompt": "Anne: ", "completion": "yes"}`)
	got, warnings := samplesOf(t, path, nil)
	prompt := len(tok.Encode("Anne:"))
	if len(got) != 1 || got[0].Labels[prompt] == IgnoredLabel || got[0].Labels[prompt-1] != IgnoredLabel {
		t.Errorf("samples = %+v, want the token \" yes\" scored", got)
	}
	if len(warnings) != 1 || !strings.Contains(warnings[0], "(the first at "+path+":1)") {
		t.Errorf("warnings = %q", warnings)
	}
}

func ignoredLabels(n int) []int32 { return onlyFrom(make([]int32, n), n) }

func TestParquetOfTokenIDs(t *testing.T) {
	t.Parallel()
	path := writeParquet(t, filepath.Join(t.TempDir(), "a.parquet"), []parquetIDs{
		{[]int64{1, 2, 3}, []int32{-100, 2, 3}}, {[]int64{4, 5}, []int32{4, 5}}, {[]int64{}, []int32{}}, {[]int64{6, 7, 8, 9}, []int32{6, 7, 8, 9}},
	})
	spec := trial.DataSpec{Train: []string{path}, Validation: []string{path}, SequenceLength: 4}
	got, warnings, err := Samples(t.Context(), Source{Files: fstest.MapFS{}, Model: goldenModel(), Spec: spec}, 0)
	want := []Sample{
		{InputIDs: []int32{1, 2, 3}, Labels: []int32{-100, 2, 3}},
		{InputIDs: []int32{4, 5}, Labels: []int32{4, 5}},
		{InputIDs: []int32{}, Labels: []int32{}},
		{InputIDs: []int32{6, 7, 8, 9}, Labels: []int32{6, 7, 8, 9}},
	}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("Samples: %v (-want +got):\n%s", err, diff)
	}
	if diff := cmp.Diff([]string{path + ", row 3: no supervised token among the first 0"}, warnings); diff != "" {
		t.Errorf("warnings (-want +got):\n%s", diff)
	}
}

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
		"other":   {writeParquet(t, dir+"/other.parquet", []other{{"x"}}), "other.parquet: no column to train on (columns: body)"},
		"null":    {writeParquet(t, dir+"/null.parquet", null), "null.parquet, row 2: no column to train on (columns: text)"},
		"number":  {writeParquet(t, dir+"/number.parquet", []number{{1}}), "column text: not text"},
		"nested":  {writeParquet(t, dir+"/nested.parquet", []nested{{[]inner{{[]int32{1}}}}}), "a list within a list"},
		"large":   {writeParquet(t, dir+"/large.parquet", []large{{[]int64{1 << 40}}}), "large.parquet, row 1: column input_ids"},
		"bytes":   {writeParquet(t, dir+"/bytes.parquet", []parquetText{{1, new("a\xff")}}), "bytes.parquet, row 1: column text: not UTF-8"},
		"brotli":  {writeParquet(t, dir+"/brotli.parquet", null, parquet.Compression(&parquet.Brotli)), "compression BROTLI is not supported: write it with snappy"},
		"trimmed": {write(t, dir, "trimmed.parquet", "PAR1....PAR0"), "does not end with PAR1"},
	}
	for name, c := range cases {
		spec := trial.DataSpec{Train: []string{c.path}, Validation: []string{c.path}, SequenceLength: 4}
		_, _, err := Samples(t.Context(), goldenSource(t, spec), 0)
		if !errors.Is(err, trial.ErrInput) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want an input error with %q", name, err, c.want)
		}
	}
}

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
	inputs, err := resolver{getenv: os.Getenv}.resolve(ctx, []string{path})
	if err != nil {
		return err
	}
	for _, in := range inputs {
		for _, err := range in.documents(ctx) {
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
		Type: format.DataPage, CompressedPageSize: stdcmp.Or(p.packed, int32(len(p.page))), UncompressedPageSize: stdcmp.Or(p.unpacked, int32(len(p.page))),
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
	return write(t, dir, name+".parquet", string(file)+"PAR1")
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
		return footer(encodeThrift(t, format.FileMetaData{Version: 1, Schema: append(elements, slices.Repeat([]format.SchemaElement{leaf}, leaves)...)})...)
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
		"an endless line":       {long, "long.jsonl:1: longer than 32 MiB"},
		"an endless cell":       {longCSV, "long.csv: longer than 32 MiB"},
		"a bomb of a line":      {write(t, dir, "bomb.jsonl.gz", packed(t, strings.Repeat(" ", 100<<20))), "bomb.jsonl.gz:1: longer than 32 MiB"},
		"an absurd footer":      {write(t, dir, "footer.parquet", "PAR1\x00\xff\xff\xff\x7fPAR1"), "a footer of 2147483647 bytes"},
		"an absurd list":        {write(t, dir, "list.parquet", footer(append([]byte{0x29, 0xfc}, uvarint(1<<31-1)...)...)), "metadata is damaged"},
		"an absurd text":        {write(t, dir, "text.parquet", footer(append([]byte{0x68}, uvarint(1<<31-1)...)...)), "metadata is damaged"},
		"a deep nest":           {write(t, dir, "deep.parquet", footer(bytes.Repeat([]byte{0x1c}, 10000)...)), "metadata is damaged"},
		"a deep schema":         {write(t, dir, "deepschema.parquet", schema(4000, 1)), "columns nested more than 32 levels deep"},
		"a wide schema":         {write(t, dir, "wideschema.parquet", schema(250, 600_000)), "a schema of 600250 nodes, more than 30000"},
		"a page that grows":     {forge(t, dir, "grows", func(p *forged) { p.codec, p.page = format.Snappy, append(uvarint(1<<31-1), 0, 0) }), "does not unpack to the"},
		"a page of 2 GiB":       {forge(t, dir, "large", func(p *forged) { p.unpacked = math.MaxInt32 }), "a page of 2047 MiB, more than 256 MiB"},
		"a page of many values": {forge(t, dir, "values", func(p *forged) { p.values = math.MaxInt32 }), "a page of 2147483647 values"},
		"runs of many values":   {forge(t, dir, "runs", func(p *forged) { p.levels = append(uvarint(2*15<<20), 1) }), "has more"},
		"a gzip bomb": {forge(t, dir, "gzip", func(p *forged) {
			p.codec, p.page, p.unpacked = format.Gzip, []byte(packed(t, strings.Repeat("a", 100<<20))), 10
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
		if used > 400<<20 { // a line of 32 MiB, read into a buffer that doubles
			t.Errorf("%s: %d MiB were taken", name, used>>20)
		}
		if err != nil && len(err.Error()) > 1000 {
			t.Errorf("%s: a message of %d bytes", name, len(err.Error()))
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

func TestAByteOrderMarkIsNoText(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, path := range []string{
		write(t, dir, "a.txt", "\ufeffAnne walked on."),
		write(t, dir, "b.jsonl", "\ufeff"+`{"text": "Anne walked on."}`+"\n"),
		write(t, dir, "c.csv", "\ufefftext\nAnne walked on.\n"),
	} {
		spec := trial.DataSpec{Train: []string{path}, Validation: []string{path}, SequenceLength: 64}
		samples, _, err := Samples(t.Context(), chatSource(t, chatML, spec), 0)
		if err != nil || len(samples) != 1 || !strings.HasPrefix(samples[0].Text, "Anne walked on.") {
			t.Errorf("%s: %d samples, %v", path, len(samples), err)
		}
	}
}

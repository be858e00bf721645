package records

import (
	"bytes"
	"encoding/csv"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/klauspost/compress/zstd"
	"github.com/parquet-go/parquet-go"

	"github.com/ranksweep/ranksweep/sweep/trial"
	"github.com/ranksweep/ranksweep/trainer/records/recordstest"
)

// fuzzFile reads whatever bytes as a data file: documents or an error that a person can fix, never a panic, and no memory
// beyond what the file's size explains.
func fuzzFile(t *testing.T, name string, body []byte) {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, body, 0o666); err != nil {
		t.Fatal(err)
	}
	var err error
	used := grown(func() { err = read(t.Context(), path) })
	if err != nil && !errors.Is(err, trial.ErrInput) {
		t.Errorf("%v is not an input error", err)
	}
	most := int64(256<<20) + 1000*int64(len(body))
	if compressionOf(body) == ".zst" {
		most += 2 * zstdWindow // for its beginning, and for all of it
	}
	if used > most {
		t.Errorf("%d MiB were taken for %d bytes", used>>20, len(body))
	}
}

func FuzzJSONL(f *testing.F) {
	for _, line := range []string{
		`{"text": "a"}`, `{"prompt": "a", "completion": "b"}`, `{"prompt": [{"role": "user", "content": "a"}], "completion": []}`,
		`{"messages": [{"role": "user", "content": "a", "x": [1]}, {"role": "assistant", "content": null}]}`,
		`{"input_ids": [1, 2], "labels": [-100, 2], "attention_mask": [1, 1]}`, `null`, "[[[[", "\xff", "{}\n\n{\"text\": null}",
	} {
		f.Add([]byte(line))
	}
	f.Fuzz(func(t *testing.T, body []byte) { fuzzFile(t, "a.jsonl", body) })
}

func FuzzCSV(f *testing.F) {
	for _, body := range []string{
		"text\na\n", "id,prompt,completion\n1,\"a,\n\"\"b\",c\r\n", "\uFEFFtext,x\n\"", "text,text\n",
		"\n\n", "text\n\xff",
	} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) { fuzzFile(t, "a.csv", body) })
}

// FuzzJSON reads arrays, objects over several lines, and objects around an array.
func FuzzJSON(f *testing.F) {
	for _, body := range []string{
		`[{"text": "a"}, "b", {"conversations": [{"from": "human", "value": "a"}, {"from": "function_call", "value": "{}"}]}]`,
		"{\n\"instruction\": \"a\", \"output\": \"b\", \"history\": [[\"c\", \"d\"]]} {\"prompt\": NaN}", `{"v": 1, "data": [{"text": "a"}]}`,
		`{"train": [{}], "test": [{}]}`, "[[[[", "[}", `["\`, "\uFEFF[{\"chosen\": 1, \"rejected\": 2}]", `{"messages": "[{'"}`,
	} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) { fuzzFile(t, "a.json", body) })
}

// FuzzContent reads a file whose name says nothing: packed, JSON, a table or text.
func FuzzContent(f *testing.F) {
	const rows = "{\"text\": \"a\"}\n{\"text\": \"b\"}\n"
	var packed bytes.Buffer
	w, err := zstd.NewWriter(&packed)
	if err != nil {
		f.Fatal(err)
	}
	if _, err := w.Write([]byte(rows)); err != nil {
		f.Fatal(err)
	}
	if err := w.Close(); err != nil {
		f.Fatal(err)
	}
	bz2, err := os.ReadFile("testdata/cases/x.jsonl.bz2")
	if err != nil {
		f.Fatal(err)
	}
	for _, body := range []string{
		rows, packed.String(), string(bz2), "BZh11AY&SY", recordstest.Gzip(f, rows), "prompt\tcompletion\na\tb\n", "\xff\xfe", "PAR1", lfsPointer,
		"\x28\xb5\x2f\xfd\x00\x88\x01\x00\x00",
	} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) { fuzzFile(t, "a", body) })
}

// FuzzCSVAgrees: what encoding/csv reads is read as it has it.
func FuzzCSVAgrees(f *testing.F) {
	for _, body := range []string{"a,b\n1,\"2\"\"\r\n3\"\r\n\n\"\",\n", "\"a\"\r", "a\r\r\nb,", ",,\n\n\n", "\"\n", "a\"b,c\n"} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		standard := csv.NewReader(bytes.NewReader(body))
		standard.FieldsPerRecord = -1
		ours := newCSVReader(bytes.NewReader(body), ',')
		for {
			want, err := standard.Read()
			if err != nil && !errors.Is(err, io.EOF) {
				return
			}
			got, ourErr := ours.record()
			if !slices.Equal(got, want) || errors.Is(err, io.EOF) != errors.Is(ourErr, io.EOF) {
				t.Fatalf("record %q, %v, want %q, %v", got, ourErr, want, err)
			}
			if err != nil {
				return
			}
		}
	})
}

func FuzzParquet(f *testing.F) {
	dir := f.TempDir()
	rows := []parquetText{{1, new("a")}, {2, new("a")}, {3, nil}, {4, new("bc")}}
	paths, err := filepath.Glob("testdata/parquet/*.parquet")
	if err != nil {
		f.Fatal(err)
	}
	for _, path := range append(
		paths,
		recordstest.WriteParquet(f, dir+"/1.parquet", rows, parquet.DataPageVersion(1)),
		recordstest.WriteParquet(f, dir+"/2.parquet", rows, parquet.Compression(&parquet.Zstd)),
		recordstest.WriteParquet(f, dir+"/3.parquet", []parquetIDs{{[]int64{1, 2}, []int32{1, 2}}}),
		recordstest.WriteParquet(f, dir+"/4.parquet", []parquetPair{{"a", "b"}}, parquet.Compression(&parquet.Snappy)),
		forge(f, dir, "5", func(*forged) {}),
	) {
		body, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(body)
	}
	f.Fuzz(func(t *testing.T, body []byte) { fuzzFile(t, "a.parquet", body) })
}

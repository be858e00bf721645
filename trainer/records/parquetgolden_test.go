package records

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ranksweep/ranksweep/sweep/trial"
)

// wantRows are the rows that pyarrow reads of testdata/parquet.
func wantRows(t *testing.T) map[string][]map[string]json.RawMessage {
	t.Helper()
	body, err := os.ReadFile("testdata/parquet.json")
	if err != nil {
		t.Fatal(err)
	}
	want := map[string][]map[string]json.RawMessage{}
	if err := json.Unmarshal(body, &want); err != nil {
		t.Fatal(err)
	}
	return want
}

// tokensOf takes JSON apart, so that only what it means counts, the order of keys included.
func tokensOf(t *testing.T, body []byte) (list []json.Token) {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	for {
		token, err := d.Token()
		if err != nil {
			return list
		}
		list = append(list, token)
	}
}

// TestParquetAsPyarrow: every column of every file has the values that pyarrow reads, keys in their order.
func TestParquetAsPyarrow(t *testing.T) {
	t.Parallel()
	want := wantRows(t)
	paths, err := filepath.Glob("testdata/parquet/*.parquet")
	if err != nil || len(paths) < 60 || len(paths) != len(want) {
		t.Fatalf("%d files, %v, want %d", len(paths), err, len(want))
	}
	for _, path := range paths {
		t.Run(filepath.Base(path), func(t *testing.T) {
			t.Parallel()
			compareRows(t, path, want[filepath.Base(path)])
		})
	}
}

func compareRows(t *testing.T, path string, want []map[string]json.RawMessage) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() }) //nolint:errcheck // only read
	size := fileSize(t, path)
	footer, err := readFooter(f, size)
	if err != nil {
		t.Fatal(err)
	}
	rows, i := rowReader{columns: footer.root.children}, 0
	for _, group := range footer.RowGroups {
		if err := rows.open(f, size, group); err != nil {
			t.Fatal(err)
		}
		for range group.NumRows {
			got, bad, err := rows.row()
			if bad != nil || err != nil {
				t.Fatalf("row %d: %v, %v", i+1, bad, err)
			}
			for name, value := range want[i] {
				if diff := cmp.Diff(tokensOf(t, value), tokensOf(t, got[name])); diff != "" {
					t.Errorf("row %d, column %s (-pyarrow +got):\n%s", i+1, name, diff)
				}
			}
			i++
		}
	}
	if i != len(want) {
		t.Errorf("%d rows, want %d", i, len(want))
	}
}

// TestParquetDocuments: the rows of each file are documents of its form, ids included, or are refused for what they are.
func TestParquetDocuments(t *testing.T) {
	t.Parallel()
	refused := map[string]string{
		"intcol": "row 1: column text: it holds a number, want text", "listtext": "row 1: column text: it holds a list, want text",
		"text-null": "row 4: no column to train on (columns: text)",
	}
	for file, want := range wantRows(t) {
		in := Input{Kind: KindParquet, Name: filepath.Join("testdata/parquet", file)}
		in.Size = fileSize(t, in.Name)
		i := 0
		for doc, err := range in.Documents(t.Context()) {
			if part := refused[strings.TrimSuffix(file, ".parquet")]; err != nil {
				if part == "" || !errors.Is(err, trial.ErrInput) || !strings.Contains(err.Error(), part) {
					t.Errorf("%s: %v, want an error with %q", file, err, part)
				}
				i = len(want)
				break
			}
			checkDocument(t, doc, want[i])
			i++
		}
		if i != len(want) {
			t.Errorf("%s: %d rows, want %d", file, i, len(want))
		}
	}
}

// checkDocument compares a document with the row that it was made of.
func checkDocument(t *testing.T, doc Document, row map[string]json.RawMessage) {
	t.Helper()
	var text string
	var ids, labels []int32
	for name, into := range map[string]any{"text": &text, "completion": &text, "input_ids": &ids, "labels": &labels} {
		if doc.Form != FormChat && row[name] != nil {
			if err := json.Unmarshal(row[name], into); err != nil {
				t.Fatal(err)
			}
		}
	}
	if row["labels"] == nil {
		labels = ids
	}
	if doc.Text != text || !cmp.Equal(doc.IDs, ids) || !cmp.Equal(doc.Labels, labels) {
		t.Errorf("%s: %q, %d, labels %d, want %q, %d, labels %d", doc.Place, doc.Text, doc.IDs, doc.Labels, text, ids, labels)
	}
	turns := 0
	for _, name := range []string{"messages", "conversations", "prompt", "completion"} {
		var list []json.RawMessage
		var inText string
		if doc.Form == FormChat && row[name] != nil {
			if json.Unmarshal(row[name], &inText) == nil {
				row[name] = json.RawMessage(inText)
			}
			if err := json.Unmarshal(row[name], &list); err != nil {
				t.Fatal(err)
			}
		}
		turns += len(list)
	}
	if len(doc.Messages) != turns {
		t.Errorf("%s: %d messages, want %d", doc.Place, len(doc.Messages), turns)
	}
}

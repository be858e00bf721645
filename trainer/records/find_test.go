package records

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/parquet-go/parquet-go"

	"github.com/ranksweep/ranksweep/trainer/records/recordstest"
)

// askedHub notes what it is asked for.
type askedHub struct{ ids []string }

func (h *askedHub) DataFiles(_ context.Context, id, _ string, _ ...string) ([]string, error) {
	h.ids = append(h.ids, id)
	return nil, nil
}

// What a grid calls a data set of the hub stays one, whatever lies in the folder that the program runs in.
func TestHubNameBesideAFolder(t *testing.T) { //nolint:paralleltest // it changes the folder
	const name = "owner/set" // a folder here, but no file of a grid elsewhere
	t.Chdir(t.TempDir())
	if err := os.MkdirAll(name, 0o777); err != nil {
		t.Fatal(err)
	}
	hub := &askedHub{}
	if _, err := NewResolver(hub).Resolve(t.Context(), []string{name}, "train"); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(hub.ids, []string{name}) {
		t.Errorf("resolve(%s) asked the hub for %q", name, hub.ids)
	}
	if err := CheckNames([]string{name}); err != nil {
		t.Errorf("CheckNames(%s) = %v", name, err)
	}
}

// TestFirstText: pre-tokenised files need no tokenizer, and of them only the first row is read.
func TestFirstText(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	const ids = `{"input_ids": [1, 2]}` + "\n"
	tokens := recordstest.Write(t, dir, "a.jsonl", ids+"not read\n")
	groups := recordstest.WriteParquet(t, filepath.Join(dir, "a.parquet"),
		[]parquetIDs{{[]int64{1}, []int32{1}}, {[]int64{2}, []int32{2}}}, parquet.MaxRowsPerRowGroup(1))
	empty := recordstest.Write(t, dir, "empty.jsonl", "\n")
	text := recordstest.Write(t, dir, "b.jsonl", "\n"+`{"text": "a"}`)
	pair := recordstest.WriteParquet(t, filepath.Join(dir, "b.parquet"), []parquetPair{{"a", "b"}})
	table := recordstest.Write(t, dir, "b.csv", "text\na\n")
	for _, c := range []struct {
		names []string
		want  string
	}{
		{[]string{tokens, groups, empty, "owner/set"}, ""},
		{[]string{tokens, text}, text + ":2"},
		{[]string{filepath.Join(dir, "*.parquet")}, pair + ", row 1"},
		{[]string{tokens, table}, table},
		{[]string{"builtin:go-doc"}, "builtin:go-doc"},
	} {
		if got, err := FirstText(t.Context(), c.names, nil); err != nil || got != c.want {
			t.Errorf("FirstText(%q) = %q, %v, want %q", c.names, got, err, c.want)
		}
	}
	for _, name := range []string{filepath.Join(dir, "none.jsonl"), recordstest.Write(t, dir, "bad.jsonl", "{")} {
		if got, err := FirstText(t.Context(), []string{name}, nil); err == nil {
			t.Errorf("FirstText(%s) = %q, want an error", name, got)
		}
	}
}

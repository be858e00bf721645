package grid

import (
	"os"
	"path/filepath"
	"testing"
)

func TestIsHubData(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "notes", "plain"), 0o777); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]bool{
		"stanfordnlp/imdb": true, "stanfordnlp/imdb:test": true, "allenai/c4:en:train": true, "a/b.c": true,
		"notes/plain": false, "notes/a.txt": false, "notes/a.JSONL": false, "notes/a.parquet": false, "notes/a.jsonl.gz": false, "notes/*": false,
		"./imdb": false, "../x/y": false, "/data/set": false, "~/set": false, "a/b/c": false, "imdb": false, "notes/": false, "a/b:c:d:e": false,
		"builtin:go-doc": false,
	} {
		if got := IsHubData(dir, name); got != want {
			t.Errorf("IsHubData(%q) = %v, want %v", name, got, want)
		}
	}
}

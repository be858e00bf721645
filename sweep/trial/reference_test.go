package trial

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
		if got := isHubData(dir, name); got != want {
			t.Errorf("isHubData(%q) = %v, want %v", name, got, want)
		}
	}
}

func TestResolveModel(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "models", "tiny"), 0o755); err != nil {
		t.Fatal(err)
	}
	for ref, want := range map[string]string{
		"builtin:gopher":         "builtin:gopher",
		"models/tiny":            filepath.Join(dir, "models", "tiny"),
		"openai-community/gpt2":  "openai-community/gpt2",
		"./models/none":          filepath.Join(dir, "models", "none"),
		"../none":                filepath.Join(filepath.Dir(dir), "none"),
		"none":                   filepath.Join(dir, "none"),
		"a/b/c":                  filepath.Join(dir, "a", "b", "c"),
		"/none/model":            "/none/model",
		"none/":                  filepath.Join(dir, "none"),
		"models/none.gguf":       filepath.Join(dir, "models", "none.gguf"),
		filepath.Join(dir, "up"): filepath.Join(dir, "up"),
	} {
		if got := ResolveModel(dir, ref); got != want {
			t.Errorf("ResolveModel(%s) = %s, want %s", ref, got, want)
		}
	}
}

func TestIsHubModel(t *testing.T) {
	t.Parallel()
	for ref, want := range map[string]bool{
		"openai-community/gpt2": true, "gpt2": false, "a/b/c": false, "/gpt2": false, "models/": false, "./gpt2": false, "~/gpt2": false,
		"tiny/model.gguf": false, "tiny/set:train": false, "models/*": false, "models/notes.txt": false,
	} {
		if got := IsHubModel(ref); got != want {
			t.Errorf("IsHubModel(%s) = %v, want %v", ref, got, want)
		}
	}
}

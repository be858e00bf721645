package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/ranksweep/ranksweep/trainer/tokenizer"
	"github.com/ranksweep/ranksweep/trainer/weights"
)

// TestRecipes: the models are part of the program, so each stays small; in float16 a parameter takes two bytes.
func TestRecipes(t *testing.T) {
	t.Parallel()
	for name, most := range map[string]int64{gopher: 4 << 20, gopherSmall: 1 << 20} {
		r, err := recipe(name)
		if err != nil {
			t.Fatal(err)
		}
		if size := 2 * r.Config.Params(); size > most || size < most/4 {
			t.Errorf("%s takes %d bytes, want %d to %d", name, size, most/4, most)
		}
	}
	if _, err := recipe("gofer"); err == nil {
		t.Error("a model without a recipe was accepted")
	}
}

// TestSmallSharesTheTokenizer: losses of two models compare only where both count the same tokens.
func TestSmallSharesTheTokenizer(t *testing.T) {
	t.Parallel()
	out := filepath.Join(t.TempDir(), "small")
	if err := writeTokenizer(t.Context(), gopherSmall, out, nil); err != nil {
		t.Fatal(err)
	}
	files, err := weights.Builtin(gopher)
	if err != nil {
		t.Fatal(err)
	}
	want, err := tokenizer.Load(files)
	if err != nil {
		t.Fatal(err)
	}
	got, err := tokenizer.Load(os.DirFS(out))
	if err != nil || got.Fingerprint() != want.Fingerprint() {
		t.Errorf("the small model's tokenizer is another one: %v", err)
	}
}

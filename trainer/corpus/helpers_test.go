package corpus

import (
	"io/fs"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ranksweep/ranksweep/sweep/trial"
	"github.com/ranksweep/ranksweep/trainer/tokenizer"
)

func rowsOf(rows Rows) []Row {
	var all []Row
	for i := range rows.Len() {
		all = append(all, rows.Row(i))
	}
	return all
}

// prepare makes a corpus in a cache of its own and opens it.
func prepare(t *testing.T, spec trial.DataSpec) *Corpus {
	t.Helper()
	prepared, err := Prepare(t.Context(), t.TempDir(), goldenSource(t, spec), nil)
	if err != nil {
		t.Fatal(err)
	}
	return open(t, prepared)
}

func open(t *testing.T, prepared Prepared) *Corpus {
	t.Helper()
	c, err := Open(prepared.Info.Path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	if diff := cmp.Diff(prepared.Info, c.Info()); diff != "" {
		t.Errorf("Open's info (-Prepare's +Open's):\n%s", diff)
	}
	return c
}

func goldenFiles(t *testing.T) fs.FS {
	t.Helper()
	return os.DirFS("../tokenizer/testdata/gpt2")
}

func goldenTokenizer(t *testing.T) *tokenizer.Tokenizer {
	t.Helper()
	tok, err := tokenizer.Load(goldenFiles(t))
	if err != nil {
		t.Fatal(err)
	}
	return tok
}

func goldenSource(t *testing.T, spec trial.DataSpec) Source {
	t.Helper()
	return Source{Files: goldenFiles(t), Model: goldenModel(), Spec: spec}
}

func goldenModel() trial.ModelInfo {
	return trial.ModelInfo{VocabSize: 2001, MaxPositions: 1024}
}

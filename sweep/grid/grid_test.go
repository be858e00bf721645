package grid_test

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ranksweep/ranksweep/sweep/grid"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

var update = flag.Bool("update", false, "rewrite the golden files") //nolint:gochecknoglobals // a flag of the tests

func readGrid(t *testing.T, path string) grid.Grid {
	t.Helper()
	g, err := grid.Parse(path, readText(t, path))
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func readText(t *testing.T, path string) []byte {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// Every grid under testdata/grids/bad has beside it what Parse says, the file's name without its folder.
func TestParseErrors(t *testing.T) {
	t.Parallel()
	paths, err := filepath.Glob("testdata/grids/bad/*.yaml")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no bad grids: %v", err)
	}
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".yaml"), func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			_, err = grid.Parse(filepath.Base(path), text)
			if err == nil {
				t.Fatal("Parse accepts it")
			}
			if !errors.Is(err, trial.ErrInput) {
				t.Errorf("%v does not wrap ErrInput", err)
			}
			compareGolden(t, strings.TrimSuffix(path, ".yaml")+".err", err.Error()+"\n")
		})
	}
}

// badGrids returns the texts of the bad grids, for the fuzzer to start from.
func badGrids(tb testing.TB) [][]byte {
	tb.Helper()
	paths, err := filepath.Glob("testdata/grids/bad/*.yaml")
	if err != nil {
		tb.Fatal(err)
	}
	var texts [][]byte
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			tb.Fatal(err)
		}
		texts = append(texts, text)
	}
	return texts
}

func compareGolden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s: -want +got\n%s", path, diff)
	}
}

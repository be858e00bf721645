package grid_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ranksweep/ranksweep/sweep/grid"
	"github.com/ranksweep/ranksweep/sweep/sweeptest"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

// TestColumns: what data.columns and its like say reaches the trials, and where they are at their defaults a grid's hash does not know
// them.
func TestColumns(t *testing.T) {
	t.Parallel()
	g := readGrid(t, "testdata/grids/columns.yaml")
	model := trial.ModelInfo{Modules: sweeptest.GPT2Modules(2, 8), MaxPositions: 128}
	ladders, _, err := g.Resolve("/").Expand(map[string]trial.ModelInfo{"builtin:gopher": model})
	if err != nil {
		t.Fatal(err)
	}
	data := ladders[0].Spec().Data
	want := map[string]string{"instruction": "frage", "output": "antwort", "system": "rolle"}
	if diff := cmp.Diff(want, data.Columns); diff != "" || !data.SkipBadRows || data.LongRows != trial.LongRowsDrop {
		t.Errorf("data = %+v (columns -want +got):\n%s", data, diff)
	}
	text := string(readText(t, "testdata/grids/columns.yaml"))
	lines := slices.DeleteFunc(strings.Split(text, "\n"), func(line string) bool {
		return strings.Contains(line, "columns:") || strings.Contains(line, "_rows:")
	})
	plain, err := grid.Parse("a.yaml", []byte(strings.Join(lines, "\n")))
	if err != nil {
		t.Fatal(err)
	}
	spelt, err := grid.Parse("a.yaml", []byte(strings.Replace(strings.Join(lines, "\n"), "  sequence_length",
		"  long_rows: cut\n  skip_bad_rows: false\n  sequence_length", 1)))
	if err != nil {
		t.Fatal(err)
	}
	if plain.Hash() != spelt.Hash() || plain.Hash() == g.Hash() {
		t.Error("the hash does not tell what is set from what is not")
	}
	if diff := g.Diff(plain); !slices.Contains(diff, "data.columns was {instruction: frage, output: antwort, system: rolle}, is now not set") {
		t.Errorf("Diff = %q", diff)
	}
}

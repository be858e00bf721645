package corpus

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"

	"github.com/ranksweep/ranksweep/sweep/trial"
)

// live is the heap that is in use.
func live() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// TestAMillionLinesStream prepares a file of many short lines and looks at the live heap on the way: it must not grow with the
// file. (200,000 lines show it as well as a million: held as rows they would take some 40 MiB.) It does not run beside others,
// for it measures.
func TestAMillionLinesStream(t *testing.T) { //nolint:paralleltest // see above
	const lines = 200_000
	path := manyLines(t, lines)
	before, most, read := live(), int64(0), 0
	spec := trial.DataSpec{Train: []string{path}, ValidationSplit: 0.1, ValidationSequences: 100, SequenceLength: 16, Packing: true}
	prepared, err := Prepare(t.Context(), t.TempDir(), goldenSource(t, spec), func(int64, int64) {
		if read++; read%(lines/5) == 0 {
			most = max(most, live())
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if read != 2*lines || prepared.Info.ValidationSequences != 100 || prepared.Info.TrainSequences < lines*8/10 {
		t.Errorf("%d documents read, once for their rows, once for duplicates: %+v", read, prepared.Info)
	}
	const bound = 4<<20 + 20*lines // the tokenizer, buffers, 100 rows, and what tells duplicates
	if most-before > bound {
		t.Errorf("the heap grew by %d KiB, want less than %d", (most-before)>>10, bound>>10)
	}
}

func manyLines(t *testing.T, n int) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "many.jsonl")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	w := bufio.NewWriter(f)
	for i := range n {
		fmt.Fprintf(w, "{\"prompt\": \"Anne %d:\", \"completion\": \" walked on.\"}\n", i)
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestStreamHoldsOneRow reads rows twice and looks at the live heap on the way, with a doubt about each of them.
func TestStreamHoldsOneRow(t *testing.T) { //nolint:paralleltest // it measures
	const lines = 50_000
	path := manyLines(t, lines)
	spec := trial.DataSpec{Train: []string{path}, Validation: []string{path}, SequenceLength: 2}
	s, err := NewStream(t.Context(), goldenSource(t, spec))
	if err != nil {
		t.Fatal(err)
	}
	first, _, err := Samples(t.Context(), goldenSource(t, spec), 1)
	if err != nil {
		t.Fatal(err)
	}
	before, most := live(), int64(0)
	for range 2 {
		rows := 0
		warnings, err := s.Each(t.Context(), func(r Row) error {
			if rows++; rows == 1 && !slices.Equal(r.IDs, first[0].InputIDs) {
				t.Errorf("the first row is %v, want %v", r.IDs, first[0].InputIDs)
			}
			if rows%(lines/5) == 0 {
				most = max(most, live())
			}
			return nil
		})
		if err != nil || rows != lines || len(warnings) != maxDoubts+1 {
			t.Errorf("Each = %d warnings, %v, of %d rows, want %d of %d", len(warnings), err, rows, maxDoubts+1, lines)
		}
	}
	const bound = 1 << 20
	if most-before > bound {
		t.Errorf("the heap grew by %d KiB, want less than %d", (most-before)>>10, bound>>10)
	}
}

package data

import (
	"path/filepath"
	"testing"

	"github.com/parquet-go/parquet-go"

	"github.com/ranksweep/ranksweep/sweep/trial"
)

// TestSamplesStopWithinAParquetFile: a limit that is reached in one row group ends the reading of all.
func TestSamplesStopWithinAParquetFile(t *testing.T) {
	t.Parallel()
	rows := []parquetPair{{"a", "b"}, {"c", "d"}, {"e", "f"}}
	path := writeParquet(t, filepath.Join(t.TempDir(), "a.parquet"), rows, parquet.MaxRowsPerRowGroup(1))
	spec := trial.DataSpec{Train: []string{path}, Validation: []string{path}, SequenceLength: 64}
	samples, _, err := Samples(t.Context(), goldenSource(t, spec), 2)
	if err != nil || len(samples) != 2 || samples[1].Text != "cd<|endoftext|>" {
		t.Errorf("Samples = %+v, %v, want the first two rows", samples, err)
	}
}

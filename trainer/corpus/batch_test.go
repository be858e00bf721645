package corpus

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ranksweep/ranksweep/sweep/trial"
	"github.com/ranksweep/ranksweep/trainer/records/recordstest"
)

func TestPad(t *testing.T) {
	t.Parallel()
	const no = trial.IgnoredLabel
	rows := []Row{
		{IDs: []int32{1, 2, 3}, Labels: []int32{1, no, 3}, Segments: []int32{0, 0, 1}}, // packed
		{IDs: []int32{4}, Labels: []int32{4}},
		{},
	}
	want := Batch{
		B: 4, T: 4,
		IDs:      []int32{1, 2, 3, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0},
		Labels:   []int32{1, no, 3, no, 4, no, no, no, no, no, no, no, no, no, no, no},
		Segments: []int32{0, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0},
	}
	if diff := cmp.Diff(want, Pad(rows, 4, 4)); diff != "" {
		t.Errorf("Pad (-want +got):\n%s", diff)
	}
}

// TestBatches: a step's batches follow from its number alone.
func TestBatches(t *testing.T) {
	t.Parallel()
	path := recordstest.Write(t, t.TempDir(), "a.jsonl", `{"input_ids": [1, 2]}
{"input_ids": [3, 4]}
{"input_ids": [5, 6]}
`)
	c := prepare(t, trial.DataSpec{Train: []string{path}, Validation: []string{path}, SequenceLength: 2})
	b := Batches{Corpus: c, Sampler: NewSampler(3, 0, false), Size: 2, Accumulation: 2}
	for step, want := range map[int][][]int32{
		1: {{1, 2, 3, 4}, {5, 6, 1, 2}}, 2: {{3, 4, 5, 6}, {1, 2, 3, 4}},
		4: {{1, 2, 3, 4}, {5, 6, 1, 2}},
	} {
		var got [][]int32
		for _, batch := range b.Step(step) {
			got = append(got, batch.IDs)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("Step(%d) (-want +got):\n%s", step, diff)
		}
	}
}

// TestRowsBatches: all rows come once, in order, and without what no row needs.
func TestRowsBatches(t *testing.T) {
	t.Parallel()
	const no = trial.IgnoredLabel
	path := recordstest.Write(t, t.TempDir(), "a.jsonl", `{"input_ids": [1, 2]}
{"input_ids": [3, 4, 5, 6], "labels": [-100, 4, 5, -100]}
{"input_ids": [7, 8]}
`)
	c := prepare(t, trial.DataSpec{Train: []string{path}, Validation: []string{path}, SequenceLength: 9})
	length := c.Validation().Scored()
	if length != 3 {
		t.Fatalf("Scored = %d, want 3: the last supervised id is the third of the second row", length)
	}
	want := []Batch{
		{B: 2, T: 3, IDs: []int32{1, 2, 0, 3, 4, 5}, Labels: []int32{1, 2, no, no, 4, 5}, Segments: make([]int32, 6)},
		{B: 2, T: 3, IDs: []int32{7, 8, 0, 0, 0, 0}, Labels: []int32{7, 8, no, no, no, no}, Segments: make([]int32, 6)},
	}
	if diff := cmp.Diff(want, slices.Collect(c.Validation().Batches(2, length))); diff != "" {
		t.Errorf("Batches (-want +got):\n%s", diff)
	}
	if got := c.Retain().Scored(); got != 0 {
		t.Errorf("Scored of no rows = %d", got)
	}
}

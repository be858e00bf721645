package corpus

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/ranksweep/ranksweep/sweep/trial"
	"github.com/ranksweep/ranksweep/trainer/records"
	"github.com/ranksweep/ranksweep/trainer/records/recordstest"
)

func TestValidationSplit(t *testing.T) {
	t.Parallel()
	paragraph := func(i int) string { return fmt.Sprintf("Paragraph %d says little, as they do.\n", i) }
	cases := []struct {
		name  string
		files func(dir string)
	}{
		{"one file of paragraphs", func(dir string) {
			var text strings.Builder
			for i := range 400 {
				text.WriteString(paragraph(i) + "\n")
			}
			recordstest.Write(t, dir, "all.txt", text.String())
		}},
		{"one file of lines", func(dir string) {
			var text strings.Builder
			for i := range 400 {
				text.WriteString(paragraph(i))
			}
			recordstest.Write(t, dir, "all.txt", text.String())
		}},
		{"many files", func(dir string) {
			for i := range 400 {
				recordstest.Write(t, dir, fmt.Sprintf("%03d.txt", i), paragraph(i))
			}
		}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			c.files(dir)
			spec := trial.DataSpec{Train: []string{filepath.Join(dir, "*.txt")}, ValidationSplit: 0.2, SequenceLength: 8, Packing: true}
			corpus := prepare(t, spec)
			train, held := corpus.Train().Len(), corpus.Validation().Len()
			if share := float64(held) / float64(train+held); share < 0.13 || share > 0.27 { // ±3.5 sd of a binomial of 400
				t.Errorf("%d of %d rows are held out, want about a fifth", held, train+held)
			}
			trained := numbersIn(t, corpus.Train())
			for number := range numbersIn(t, corpus.Validation()) {
				if trained[number] {
					t.Errorf("paragraph %s is on both sides", number)
				}
			}
		})
	}
}

func TestSplitKeepsRunsOfBlocksTogether(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		lines := rapid.SliceOf(rapid.SampledFrom([]string{"a", "b", "", "\t", "c\r", "d e"})).Draw(t, "lines")
		text := strings.Join(lines, "\n")
		s := splitter{fraction: 0.5, blocks: true}
		parts, held, err := s.split(records.Document{Text: text})
		if err != nil {
			t.Fatal(err)
		}
		var joined strings.Builder
		for i, part := range parts {
			joined.WriteString(part.Text)
			if i > 0 && held[i] == held[i-1] {
				t.Fatalf("split(%q): parts %d and %d are on one side", text, i-1, i)
			}
		}
		if joined.String() != text {
			t.Fatalf("split(%q) joins to %q", text, joined.String())
		}
	})
}

func TestValidationSequencesAreDrawnOnceInFileOrder(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var rows strings.Builder
	for i := range 100 {
		fmt.Fprintf(&rows, "{\"input_ids\": [0, %d]}\n", i)
	}
	path := recordstest.Write(t, dir, "rows.jsonl", rows.String())
	spec := trial.DataSpec{Train: []string{path}, Validation: []string{path}, SequenceLength: 2, ValidationSequences: 10}
	last := int32(-1)
	c := prepare(t, spec)
	again := prepare(t, spec)
	if c.Validation().Len() != 10 {
		t.Fatalf("%d validation rows, want 10", c.Validation().Len())
	}
	for i := range 10 {
		row := c.Validation().Row(i)
		if row.IDs[1] <= last {
			t.Errorf("row %d is %d, after %d", i, row.IDs[1], last)
		}
		last = row.IDs[1]
		if other := again.Validation().Row(i); !cmp.Equal(row, other) {
			t.Errorf("row %d is %v and, drawn again, %v", i, row, other)
		}
	}
	if last < 50 {
		t.Errorf("the last row drawn is %d of 100: not a sample of all", last)
	}
}

// numbersIn returns the paragraph numbers in the text of rows.
func numbersIn(t *testing.T, rows Rows) map[string]bool {
	t.Helper()
	tok := goldenTokenizer(t)
	var ids []int32
	for i := range rows.Len() {
		ids = append(ids, rows.Row(i).IDs...)
	}
	numbers := map[string]bool{}
	for _, paragraph := range strings.Split(tok.Decode(ids), "Paragraph ")[1:] {
		number, _, _ := strings.Cut(paragraph, " ")
		numbers[number] = true
	}
	return numbers
}

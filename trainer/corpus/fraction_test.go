package corpus

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ranksweep/ranksweep/sweep/trial"
	"github.com/ranksweep/ranksweep/trainer/records/recordstest"
)

// TestFractionsOfTheTrainingDocuments: a smaller fraction is part of a larger one and about as large as it says, whatever the documents
// are, and the validation rows are those of the whole corpus.
func TestFractionsOfTheTrainingDocuments(t *testing.T) {
	t.Parallel()
	const documents = 600
	paragraph := func(i int) string { return fmt.Sprintf("Paragraph %d says little, as they do.\n", i) }
	join := func(one func(i int) string) string {
		var text strings.Builder
		for i := range documents {
			text.WriteString(one(i))
		}
		return text.String()
	}
	cases := []struct{ name, file, text string }{
		{"rows", "all.jsonl", join(func(i int) string { return fmt.Sprintf("{\"text\": \"Paragraph %d says little, as they do.\"}\n", i) })},
		{"paragraphs of a file", "all.txt", join(func(i int) string { return paragraph(i) + "\n" })},
		{"lines of a file", "all.txt", join(paragraph)},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			file := recordstest.Write(t, t.TempDir(), c.file, c.text)
			own := recordstest.Write(t, t.TempDir(), "val.txt", "Paragraph 9999 is held out by itself.\n")
			for _, spec := range []trial.DataSpec{{ValidationSplit: 0.2, ValidationSequences: 20}, {Validation: []string{own}}} {
				spec.Train, spec.SequenceLength, spec.Packing = []string{file}, 8, true
				whole := prepare(t, spec)
				all, last := numbersIn(t, whole.Train()), map[string]bool{}
				for _, fraction := range []float64{0.1, 0.5, 0.9} {
					spec.Fraction = fraction
					part := prepare(t, spec)
					if diff := cmp.Diff(rowsOf(whole.Validation()), rowsOf(part.Validation())); diff != "" {
						t.Fatalf("fraction %v changes the validation rows:\n%s", fraction, diff)
					}
					if i := part.Info(); i.Scored() != whole.Info().Fingerprint || i.Fingerprint == i.Scored() {
						t.Errorf("fraction %v: corpus %s is scored as %s, want %s", fraction, i.Fingerprint, i.Scored(), whole.Info().Fingerprint)
					}
					kept := numbersIn(t, part.Train())
					for number := range last {
						if !kept[number] {
							t.Errorf("paragraph %s is in a smaller fraction and not in %v", number, fraction)
						}
					}
					for number := range kept {
						if !all[number] {
							t.Errorf("fraction %v has paragraph %s, which is not trained on without it", fraction, number)
						}
					}
					if got := float64(len(kept)) / float64(len(all)); got < fraction-0.08 || got > fraction+0.08 { // 3.5 sd of 480
						t.Errorf("fraction %v keeps %.3f of the documents", fraction, got)
					}
					last = kept
				}
			}
		})
	}
}

func TestFractionThatKeepsNothing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	train := recordstest.Write(t, dir, "one.jsonl", `{"text": "only one document, which a hundredth leaves out"}`)
	val := recordstest.Write(t, dir, "val.txt", "Held out by itself.\n")
	spec := trial.DataSpec{Train: []string{train}, Validation: []string{val}, SequenceLength: 4, Packing: true, Fraction: 0.01}
	_, err := Prepare(t.Context(), filepath.Join(dir, "cache"), goldenSource(t, spec), nil)
	said := CheckFraction(t.Context(), goldenSource(t, spec))
	for _, err := range []error{err, said} {
		if !errors.Is(err, trial.ErrInput) || !strings.HasPrefix(err.Error(), "invalid input: data.fraction 0.01 keeps no training document") {
			t.Errorf("%v, want ErrInput that begins with data.fraction", err)
		}
	}
	spec.Fraction = 0.9999999
	if err := CheckFraction(t.Context(), goldenSource(t, spec)); err != nil {
		t.Errorf("CheckFraction of nearly all = %v", err)
	}
}

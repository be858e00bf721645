package corpus

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ranksweep/ranksweep/sweep/trial"
	"github.com/ranksweep/ranksweep/trainer/records/recordstest"
)

// Texts of at least 64 bytes, as they are counted.
const (
	anne  = "Anne had nothing whatever to say to any of them, and so she walked on.\n"
	frank = "Frederick Wentworth had used such words, or something quite like them.\n"
	mary  = "Mary was less disturbed by it than her sister, or seemed to be so then.\n"
)

func TestDuplicates(t *testing.T) {
	t.Parallel()
	row := func(text string) string { return `{"text": "` + strings.TrimSpace(text) + `"}` + "\n" }
	cases := map[string]struct {
		train, validation string
		ending            string
		spec              trial.DataSpec
		want              trial.Duplicates
		warnings          []string
	}{
		"rows of packed text": {
			train: row(anne) + row(frank) + row(anne) + row(""), validation: row(mary) + row(anne) + row(" ") + row(""), ending: ".jsonl",
			spec: trial.DataSpec{Packing: true},
			want: trial.Duplicates{Train: 3, TrainRepeated: 1, Validation: 2, Shared: 1, ValidationBytes: 141, SharedBytes: 70},
			warnings: []string{
				"data: 1 of 2 validation rows (50 % of their bytes) are also in data.train", "data.train: 1 of 3 rows repeat an earlier one",
			},
		},
		"token ids: labels count": {
			train:      `{"input_ids": [1, 2, 3]}` + "\n" + `{"input_ids": [1, 2, 4], "labels": [-100, 2, 4]}`,
			validation: strings.Repeat(`{"input_ids": [1, 2, 4]}`+"\n", 2) + `{"labels": [1, 2, 3], "input_ids": [1, 2, 3]}`, ending: ".jsonl",
			want: trial.Duplicates{Train: 2, Validation: 3, ValidationRepeated: 1, Shared: 1, ValidationBytes: 72, SharedBytes: 24},
			warnings: []string{
				"data: 1 of 3 validation rows (33 % of their bytes) are also in data.train", "data.validation: 1 of 3 rows repeat an earlier one",
			},
		},
		"a chat whose keys are in another order": {
			train:      `{"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}`,
			validation: `{"messages": [{"content": "a", "role": "user"}, {"content": "b", "role": "assistant"}]}`, ending: ".jsonl",
			spec:     trial.DataSpec{SequenceLength: 64},
			want:     trial.Duplicates{Train: 1, Validation: 1, Shared: 1, ValidationBytes: 66, SharedBytes: 66},
			warnings: []string{"data: 1 of 1 validation rows (100 % of their bytes) are also in data.train"},
		},
		"a prompt with another answer": {
			train: `{"prompt": "a", "completion": "b"}`, validation: `{"prompt": "a", "completion": "c"}`, ending: ".jsonl",
			want: trial.Duplicates{Train: 1, Validation: 1, ValidationBytes: 3},
		},
		"paragraphs of text files, but no short ones": {
			train: "}\n\n" + anne + "\n}\n\n" + frank, validation: "}\n\n\n" + mary + frank, ending: ".txt",
			spec: trial.DataSpec{Packing: true},
			want: trial.Duplicates{Train: 2, Validation: 1, ValidationBytes: 142},
		},
		"a paragraph on both sides": {
			train: anne + "\n" + frank, validation: mary + "\n" + frank, ending: ".txt", spec: trial.DataSpec{Packing: true},
			want:     trial.Duplicates{Train: 2, Validation: 2, Shared: 1, ValidationBytes: 141, SharedBytes: 70},
			warnings: []string{"data: 1 of 2 validation paragraphs or lines (50 % of their bytes) are also in data.train"},
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			c.spec.Train = []string{recordstest.Write(t, dir, "train"+c.ending, c.train)}
			c.spec.Validation = []string{recordstest.Write(t, dir, "validation"+c.ending, c.validation)}
			c.spec.SequenceLength = max(c.spec.SequenceLength, 8)
			src := chatSource(t, chatML, c.spec)
			prepared, err := Prepare(t.Context(), t.TempDir(), src, nil)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, prepared.Info.Duplicates); diff != "" {
				t.Errorf("Duplicates (-want +got):\n%s", diff)
			}
			alone, err := Duplicates(t.Context(), src, nil)
			if err != nil || !beginAs(alone, c.warnings) || !beginAs(prepared.Warnings[:len(alone)], c.warnings) {
				t.Errorf("warnings %q, Duplicates alone %q, %v, want %q", prepared.Warnings, alone, err, c.warnings)
			}
		})
	}
}

func beginAs(lines, want []string) bool {
	for i, line := range lines {
		if i >= len(want) || !strings.HasPrefix(line, want[i]) {
			return false
		}
	}
	return len(lines) == len(want)
}

// TestSplitsShareNothing: rows that are equal are on one side, and so are paragraphs.
func TestSplitsShareNothing(t *testing.T) {
	t.Parallel()
	var rows, paragraphs strings.Builder
	for range 3 {
		for i := range 60 {
			text := strings.Repeat("Anne ", 12) + string(rune('A'+i%60)) + " walked on."
			rows.WriteString(`{"text": "` + strings.ReplaceAll(text, `\`, `\\`) + `"}` + "\n")
			paragraphs.WriteString(text + "\n\n")
		}
	}
	for name, content := range map[string]string{"rows.jsonl": rows.String(), "paragraphs.txt": paragraphs.String()} {
		path := recordstest.Write(t, t.TempDir(), name, content)
		c := prepare(t, trial.DataSpec{Train: []string{path}, ValidationSplit: 0.3, SequenceLength: 8, Packing: true})
		d := c.Info().Duplicates
		if d.Train+d.Validation != 180 || d.Shared != 0 || d.TrainRepeated*3 != 2*d.Train || d.ValidationRepeated*3 != 2*d.Validation ||
			d.Validation < 18 {
			t.Errorf("%s: %+v, want 180 rows, each three times on one side", name, d)
		}
	}
}

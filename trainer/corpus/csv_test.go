package corpus

import (
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ranksweep/ranksweep/sweep/trial"
	"github.com/ranksweep/ranksweep/trainer/records/recordstest"
)

type parquetAny struct {
	Text       *string `parquet:"text,optional"`
	Prompt     *string `parquet:"prompt,optional"`
	Completion *string `parquet:"completion,optional"`
}

// TestEmptyCells: csv has no null, so an empty prompt or completion beside a text is absent. Where a format has null, an empty text is
// a value.
func TestEmptyCells(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	const text, pair, nothing = "the sea<|endoftext|>", "Anne: yes<|endoftext|>", "<|endoftext|>"
	for name, c := range map[string]struct {
		path string
		want []string
	}{
		"csv": {recordstest.Write(t, dir, "a.csv",
			"text,prompt,completion\nthe sea,,\n,Anne:, yes\n,\"\",Anne: yes\nthe sea,Anne:,\n"), []string{text, pair, pair, text}},
		"tsv":          {recordstest.Write(t, dir, "a.tsv", "text\tprompt\tcompletion\nthe sea\t\t\n"), []string{text}},
		"jsonl, null":  {recordstest.Write(t, dir, "a.jsonl", `{"text": "the sea", "prompt": null, "completion": null}`), []string{text}},
		"jsonl, empty": {recordstest.Write(t, dir, "b.jsonl", `{"text": "the sea", "prompt": "", "completion": ""}`), []string{nothing}},
		"parquet, empty": {
			recordstest.WriteParquet(t, filepath.Join(dir, "b.parquet"), []parquetAny{{new("the sea"), new(""), new("")}}),
			[]string{nothing},
		},
	} {
		samples, _ := samplesOf(t, c.path, nil)
		var got []string
		for _, s := range samples {
			got = append(got, s.Text)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: rows %q, want %q", name, got, c.want)
		}
	}
}

func TestEmptyRowsOfCSV(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, path := range map[string]string{
		"empty text": recordstest.Write(t, dir, "a.csv", "text,prompt,completion\nthe sea,,\n,,\n"),
		"no text":    recordstest.Write(t, dir, "b.csv", "prompt,completion\nAnne:,yes\n\"\",\n"),
	} {
		spec := trial.DataSpec{Train: []string{path}, Validation: []string{path}, SequenceLength: 64}
		_, _, err := Samples(t.Context(), goldenSource(t, spec), 0)
		if want := path + ":3: prompt and completion are empty"; !errors.Is(err, trial.ErrInput) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want an input error with %q", name, err, want)
		}
	}
}

package corpus

import (
	"errors"
	"io/fs"
	"path/filepath"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/parquet-go/parquet-go"

	"github.com/ranksweep/ranksweep/sweep/trial"
	"github.com/ranksweep/ranksweep/trainer/records/recordstest"
	"github.com/ranksweep/ranksweep/trainer/weights/weightstest"
)

// TestSamplesStopWithinAParquetFile: a limit that is reached in one row group ends the reading of all.
func TestSamplesStopWithinAParquetFile(t *testing.T) {
	t.Parallel()
	rows := []parquetPair{{"a", "b"}, {"c", "d"}, {"e", "f"}}
	path := recordstest.WriteParquet(t, filepath.Join(t.TempDir(), "a.parquet"), rows, parquet.MaxRowsPerRowGroup(1))
	spec := trial.DataSpec{Train: []string{path}, Validation: []string{path}, SequenceLength: 64}
	samples, _, err := Samples(t.Context(), goldenSource(t, spec), 2)
	if err != nil || len(samples) != 2 || samples[1].Text != "cd<|endoftext|>" {
		t.Errorf("Samples = %+v, %v, want the first two rows", samples, err)
	}
}

// TestTokenIDsNeedNoTokenizer: rows of ids are shown and scored whatever a model's tokenizer is like, and text is refused.
func TestTokenIDsNeedNoTokenizer(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	ids := recordstest.Write(t, dir, "ids.jsonl", `{"input_ids": [1, 2, 3]}`)
	text := recordstest.Write(t, dir, "text.jsonl", `{"text": "the sea"}`)
	for name, c := range map[string]struct {
		files   fs.FS
		missing bool
	}{
		"GGUF without tokenizer": {fstest.MapFS{"model.gguf": {Data: weightstest.WriteGGUF(t,
			map[string]any{"general.architecture": "llama"})}}, true},
		"folder without tokenizer": {fstest.MapFS{}, true},
		"GGUF of another kind": {fstest.MapFS{"model.gguf": {Data: weightstest.WriteGGUF(t, map[string]any{
			"tokenizer.ggml.model": "bert", "tokenizer.ggml.tokens": []string{"a"},
		})}}, false},
	} {
		source := func(path string) Source {
			return Source{
				Files: c.files, Model: goldenModel(),
				Spec: trial.DataSpec{Train: []string{path}, Validation: []string{path}, SequenceLength: 4},
			}
		}
		samples, warnings, err := Samples(t.Context(), source(ids), 0)
		if err != nil || len(samples) != 1 || samples[0].Text != "" || (len(warnings) == 0) != c.missing {
			t.Errorf("%s: Samples = %v, %q, %v, want one row, and a warning where the tokenizer is not read", name, samples, warnings, err)
		}
		if _, _, err := Samples(t.Context(), source(text), 0); !errors.Is(err, trial.ErrInput) || errors.Is(err, fs.ErrNotExist) != c.missing {
			t.Errorf("%s: Samples of text = %v, want an input error", name, err)
		}
	}
}

func TestSamplesAreNeitherCutNorDropped(t *testing.T) {
	t.Parallel()
	path := recordstest.Write(t, t.TempDir(), "rows.jsonl", `{"input_ids": [39, 72]}
{"input_ids": [39, 72, 908, 222, 278], "labels": [-100, -100, -100, -100, 278]}
{"input_ids": [39, 3000]}
`)
	spec := trial.DataSpec{Train: []string{path}, Validation: []string{path}, SequenceLength: 4}
	samples, warnings, err := Samples(t.Context(), goldenSource(t, spec), 0)
	if err != nil {
		t.Fatal(err)
	}
	want := []Sample{
		{Text: "Hi", InputIDs: []int32{39, 72}, Labels: []int32{39, 72}},
		{Text: "Hi 😀 c", InputIDs: []int32{39, 72, 908, 222, 278}, Labels: []int32{-100, -100, -100, -100, 278}},
		{Text: "H\uFFFD", InputIDs: []int32{39, 3000}, Labels: []int32{39, 3000}},
	}
	if diff := cmp.Diff(want, samples, cmpopts.IgnoreFields(Sample{}, "Tokens")); diff != "" {
		t.Errorf("samples (-want +got):\n%s", diff)
	}
	wantWarnings := []string{
		path + ":2: no supervised token among the first 4",
		path + ":2: 5 ids are cut at sequence_length 4",
		path + ":3: id 3000 at position 1 is not in the model's vocabulary of 2001",
	}
	if diff := cmp.Diff(wantWarnings, warnings); diff != "" {
		t.Errorf("warnings (-want +got):\n%s", diff)
	}
	if samples, _, err = Samples(t.Context(), goldenSource(t, spec), 1); err != nil || len(samples) != 1 {
		t.Errorf("Samples with limit 1 = %d rows, %v", len(samples), err)
	}
}

func TestSamplesOfAShortTextAreShown(t *testing.T) {
	t.Parallel()
	path := recordstest.Write(t, t.TempDir(), "short.txt", "Hi 😀 c")
	spec := trial.DataSpec{Train: []string{path}, Validation: []string{path}, SequenceLength: 100, Packing: true}
	samples, warnings, err := Samples(t.Context(), goldenSource(t, spec), 0)
	if err != nil {
		t.Fatal(err)
	}
	want := []Sample{{
		Text: "Hi 😀 c<|endoftext|>", InputIDs: []int32{39, 72, 908, 222, 278, eos}, Labels: []int32{39, 72, 908, 222, 278, eos},
		Segments: make([]int32, 6),
		Tokens:   []string{"H", "i", " \uFFFD", "\uFFFD", " c", "<|endoftext|>"},
	}}
	if diff := cmp.Diff(want, samples); diff != "" {
		t.Errorf("samples (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"data.train: 6 token ids do not fill one row of sequence_length 100"}, warnings); diff != "" {
		t.Errorf("warnings (-want +got):\n%s", diff)
	}
}

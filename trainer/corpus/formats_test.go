package corpus

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress"

	"github.com/ranksweep/ranksweep/sweep/trial"
	"github.com/ranksweep/ranksweep/trainer/records"
	"github.com/ranksweep/ranksweep/trainer/records/recordstest"
)

// samplesOf returns ids, labels and text of the rows of a file, unpacked.
func samplesOf(t *testing.T, path string, edit func(*trial.DataSpec)) ([]Sample, []string) {
	t.Helper()
	spec := trial.DataSpec{Train: []string{path}, Validation: []string{path}, SequenceLength: 64}
	if edit != nil {
		edit(&spec)
	}
	samples, warnings, err := Samples(t.Context(), goldenSource(t, spec), 0)
	if err != nil {
		t.Fatal(err)
	}
	for i := range samples {
		samples[i].Tokens = nil
	}
	return samples, warnings
}

// TestFormatsAgree reads the same rows from every format that can hold them.
func TestFormatsAgree(t *testing.T) {
	t.Parallel()
	tok := goldenTokenizer(t)
	dir := t.TempDir()
	texts := []string{"Anne walked on.", "She said \"no\",\nand went.", "€ 5\tonly"}
	var jsonl, csv, tsv strings.Builder
	csv.WriteString("\uFEFFid,text\r\n")
	tsv.WriteString("text\tid\n")
	var table []parquetText
	var want []Sample
	for i, text := range texts {
		fmt.Fprintf(&jsonl, "{\"text\": %q, \"id\": %d}\n\n", text, i)
		quoted := `"` + strings.ReplaceAll(text, `"`, `""`) + `"`
		fmt.Fprintf(&csv, "%d,%s\r\n", i, quoted)
		fmt.Fprintf(&tsv, "%s\t%d\n", quoted, i)
		table = append(table, parquetText{int64(i), &text})
		ids := append(tok.Encode(text), eos)
		want = append(want, Sample{Text: text + "<|endoftext|>", InputIDs: ids, Labels: ids})
	}
	files := map[string]string{
		"jsonl":  recordstest.Write(t, dir, "a.jsonl", jsonl.String()),
		"ndjson": recordstest.Write(t, dir, "a.NDJSON", strings.TrimSpace(jsonl.String())),
		"csv":    recordstest.Write(t, dir, "a.csv", csv.String()), "tsv": recordstest.Write(t, dir, "a.tsv", tsv.String()),
		"jsonl.gz": recordstest.Write(t, dir, "a.jsonl.gz", recordstest.Gzip(t, jsonl.String())),
		"csv.gz":   recordstest.Write(t, dir, "a.csv.gz", recordstest.Gzip(t, csv.String())),
	}
	for name, codec := range map[string]compress.Codec{
		"none": &parquet.Uncompressed, "snappy": &parquet.Snappy, "gzip": &parquet.Gzip, "zstd": &parquet.Zstd,
	} {
		for version := 1; version <= 2; version++ {
			name := fmt.Sprintf("%s%d.parquet", name, version)
			files[name] = recordstest.WriteParquet(t, filepath.Join(dir, name), table, parquet.Compression(codec),
				parquet.DataPageVersion(version), parquet.MaxRowsPerRowGroup(2))
		}
	}
	for name, path := range files {
		got, warnings := samplesOf(t, path, nil)
		if diff := cmp.Diff(want, got); diff != "" || len(warnings) > 0 {
			t.Errorf("%s: warnings %q, samples (-want +got):\n%s", name, warnings, diff)
		}
	}
	var text []string
	for doc, err := range records.Texts(t.Context(), []string{files["csv"]}) {
		if err != nil {
			t.Fatal(err)
		}
		text = append(text, doc)
	}
	if diff := cmp.Diff(texts, text); diff != "" {
		t.Errorf("Texts (-want +got):\n%s", diff)
	}
}

// TestOtherColumnsAreIgnored whatever they hold, in every table format.
func TestOtherColumnsAreIgnored(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	type labelled struct {
		Text   string `parquet:"text"`
		Labels int64  `parquet:"labels"`
	}
	for name, path := range map[string]string{
		"csv":     recordstest.Write(t, dir, "a.csv", "text,labels\nthe sea,1\n"),
		"parquet": recordstest.WriteParquet(t, filepath.Join(dir, "a.parquet"), []labelled{{"the sea", 1}}),
		"labels":  recordstest.Write(t, dir, "a.jsonl", `{"text": "the sea", "labels": 1}`),
		"prompt":  recordstest.Write(t, dir, "b.jsonl", `{"text": "the sea", "prompt": {"a": 1}, "completion": null}`),
		"mask":    recordstest.Write(t, dir, "c.jsonl", `{"text": "the sea", "attention_mask": "none", "messages": null}`),
		"case":    recordstest.Write(t, dir, "d.jsonl", `{"Text": 7, "text": "the sea", "TEXT": "the land"}`),
	} {
		got, _ := samplesOf(t, path, nil)
		if len(got) != 1 || got[0].Text != "the sea<|endoftext|>" {
			t.Errorf("%s: samples = %+v", name, got)
		}
	}
}

func TestGzippedTextIsADocument(t *testing.T) {
	t.Parallel()
	got, _ := samplesOf(t, recordstest.Write(t, t.TempDir(), "a.txt.gz", recordstest.Gzip(t, "Hi")), nil)
	if len(got) != 1 || got[0].Text != "Hi<|endoftext|>" {
		t.Errorf("samples = %+v", got)
	}
}

// TestCompletionsAreScored masks the prompt, as TRL's SFTTrainer does.
func TestCompletionsAreScored(t *testing.T) {
	t.Parallel()
	tok := goldenTokenizer(t)
	dir := t.TempDir()
	prompt, answer := tok.Encode("Anne:"), append(tok.Encode(" yes"), eos)
	ids := append(tok.Encode("Anne:"), answer...)
	want := []Sample{{Text: "Anne: yes<|endoftext|>", InputIDs: ids, Labels: append(ignoredLabels(len(prompt)), answer...)}}
	for name, path := range map[string]string{
		"jsonl":   recordstest.Write(t, dir, "a.jsonl", `{"prompt": "Anne:", "completion": " yes"}`),
		"csv":     recordstest.Write(t, dir, "a.csv", "completion,prompt\n\" yes\",Anne:\n"),
		"parquet": recordstest.WriteParquet(t, filepath.Join(dir, "a.parquet"), []parquetPair{{"Anne:", " yes"}}),
		"ended":   recordstest.Write(t, dir, "b.jsonl", `{"prompt": "Anne:", "completion": " yes<|endoftext|>"}`),
	} {
		// packing is for text: a prompt starts a row, whatever packing says.
		got, warnings := samplesOf(t, path, func(s *trial.DataSpec) { s.Packing = true })
		if diff := cmp.Diff(want, got); diff != "" || len(warnings) > 0 {
			t.Errorf("%s: warnings %q, samples (-want +got):\n%s", name, warnings, diff)
		}
		got, _ = samplesOf(t, path, func(s *trial.DataSpec) { s.ScorePrompts = true })
		if diff := cmp.Diff([]Sample{{Text: want[0].Text, InputIDs: ids, Labels: ids}}, got); diff != "" {
			t.Errorf("%s with completion_only_loss: false (-want +got):\n%s", name, diff)
		}
	}
}

func TestATokenAcrossTheBoundaryIsScored(t *testing.T) {
	t.Parallel()
	tok := goldenTokenizer(t)
	path := recordstest.Write(t, t.TempDir(), "a.jsonl", `{"prompt": "Anne: ", "completion": "yes"}`)
	got, warnings := samplesOf(t, path, nil)
	prompt := len(tok.Encode("Anne:"))
	if len(got) != 1 || got[0].Labels[prompt] == trial.IgnoredLabel || got[0].Labels[prompt-1] != trial.IgnoredLabel {
		t.Errorf("samples = %+v, want the token \" yes\" scored", got)
	}
	if len(warnings) != 1 || !strings.Contains(warnings[0], "(the first at "+path+":1)") {
		t.Errorf("warnings = %q", warnings)
	}
}

// scoredFrom returns labels that score ids from an index on.
func scoredFrom(ids []int32, from int) []int32 {
	return slices.Concat(ignoredLabels(from), ids[from:])
}

func ignoredLabels(n int) []int32 { return slices.Repeat([]int32{trial.IgnoredLabel}, n) }

func TestParquetOfTokenIDs(t *testing.T) {
	t.Parallel()
	path := recordstest.WriteParquet(t, filepath.Join(t.TempDir(), "a.parquet"), []parquetIDs{
		{[]int64{1, 2, 3}, []int32{-100, 2, 3}},
		{[]int64{4, 5}, []int32{4, 5}},
		{[]int64{}, []int32{}},
		{[]int64{6, 7, 8, 9}, []int32{6, 7, 8, 9}},
	})
	spec := trial.DataSpec{Train: []string{path}, Validation: []string{path}, SequenceLength: 4}
	got, warnings, err := Samples(t.Context(), Source{Files: fstest.MapFS{}, Model: goldenModel(), Spec: spec}, 0)
	want := []Sample{
		{InputIDs: []int32{1, 2, 3}, Labels: []int32{-100, 2, 3}},
		{InputIDs: []int32{4, 5}, Labels: []int32{4, 5}},
		{InputIDs: []int32{}, Labels: []int32{}},
		{InputIDs: []int32{6, 7, 8, 9}, Labels: []int32{6, 7, 8, 9}},
	}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("Samples: %v (-want +got):\n%s", err, diff)
	}
	if diff := cmp.Diff([]string{path + ", row 3: no supervised token among the first 0"}, warnings); diff != "" {
		t.Errorf("warnings (-want +got):\n%s", diff)
	}
}

func TestAByteOrderMarkIsNoText(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, path := range []string{
		recordstest.Write(t, dir, "a.txt", "\ufeffAnne walked on."),
		recordstest.Write(t, dir, "b.jsonl", "\ufeff"+`{"text": "Anne walked on."}`+"\n"),
		recordstest.Write(t, dir, "c.csv", "\ufefftext\nAnne walked on.\n"),
	} {
		spec := trial.DataSpec{Train: []string{path}, Validation: []string{path}, SequenceLength: 64}
		samples, _, err := Samples(t.Context(), chatSource(t, chatML, spec), 0)
		if err != nil || len(samples) != 1 || !strings.HasPrefix(samples[0].Text, "Anne walked on.") {
			t.Errorf("%s: %d samples, %v", path, len(samples), err)
		}
	}
}

// parquetText is a row of text.
type parquetText struct {
	ID   int64   `parquet:"id"`
	Text *string `parquet:"text,optional,dict"`
}

// parquetPair is a row of prompt and completion.
type parquetPair struct {
	Prompt     string `parquet:"prompt"`
	Completion string `parquet:"completion"`
}

// parquetIDs is a pre-tokenised row.
type parquetIDs struct {
	InputIDs []int64 `parquet:"input_ids,list"`
	Labels   []int32 `parquet:"labels,list"`
}

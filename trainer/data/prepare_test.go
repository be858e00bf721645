package data

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/ranksweep/ranksweep/sweep/trial"
)

const eos = 2000 // <|endoftext|> of testdata/gpt2

func TestPackingJoinsDocumentsAndLosesNothing(t *testing.T) {
	t.Parallel()
	tok := loadGolden(t, "tokenizer.json")
	dir := t.TempDir()
	texts := []string{"func main() {\n\treturn 1\n}\n", "", "She had nothing to say.\n", "Anne smiled, and walked on.\n", "Hi"}
	var wantIDs, wantLabels, wantSegments []int32
	for i, text := range texts {
		write(t, dir, fmt.Sprintf("%d.txt", i), text)
		if text == "" {
			continue
		}
		for j, id := range append(tok.Encode(text), eos) {
			at, label, segment := len(wantIDs)%8, id, int32(0)
			switch {
			case at > 0 && j == 0: // a document begins within a row
				label, segment = IgnoredLabel, wantSegments[len(wantSegments)-1]+1
			case at > 0:
				segment = wantSegments[len(wantSegments)-1]
			}
			wantIDs, wantLabels, wantSegments = append(wantIDs, id), append(wantLabels, label), append(wantSegments, segment)
		}
	}
	if len(wantIDs)%8 < 2 || slices.Max(wantSegments) < 1 {
		t.Fatalf("%d ids in %d segments do not try a padded row and a joint", len(wantIDs), slices.Max(wantSegments)+1)
	}
	val := write(t, dir, "val", strings.Repeat("no. ", 20))
	c := prepare(t, trial.DataSpec{Train: []string{filepath.Join(dir, "*.txt")}, Validation: []string{val}, SequenceLength: 8, Packing: true})
	var got Row
	scored := int64(0)
	for i := range c.Train().Len() {
		r := c.Train().Row(i)
		if len(r.IDs) != 8 || len(r.Labels) != 8 || len(r.Segments) != 8 {
			t.Fatalf("Row(%d) has %d ids, %d labels, %d segments, want 8", i, len(r.IDs), len(r.Labels), len(r.Segments))
		}
		got.IDs, got.Labels, got.Segments = append(got.IDs, r.IDs...), append(got.Labels, r.Labels...), append(got.Segments, r.Segments...)
		scored += int64(supervised(r.Labels))
	}
	n := len(wantIDs)
	want := Row{IDs: wantIDs, Labels: wantLabels, Segments: wantSegments}
	if diff := cmp.Diff(want, Row{IDs: got.IDs[:n], Labels: got.Labels[:n], Segments: got.Segments[:n]}); diff != "" {
		t.Errorf("packed rows (-want +got):\n%s", diff)
	}
	for i := n; i < len(got.Labels); i++ {
		if got.Labels[i] != IgnoredLabel || got.Segments[i] != got.Segments[n-1] {
			t.Errorf("padding at %d has label %d, segment %d", i, got.Labels[i], got.Segments[i])
		}
	}
	if got := c.Info().TrainTokens; got != scored {
		t.Errorf("TrainTokens = %d, want %d", got, scored)
	}
}

func TestWithoutPackingADocumentIsARow(t *testing.T) {
	t.Parallel()
	tok := loadGolden(t, "tokenizer.json")
	dir := t.TempDir()
	short, long := "Anne.", "She had nothing whatever to say to any of them.\n"
	a, b := write(t, dir, "a.txt", short), write(t, dir, "b.txt", long)
	spec := trial.DataSpec{Train: []string{b, a}, Validation: []string{a}, SequenceLength: 8}
	prepared, err := Prepare(t.Context(), t.TempDir(), goldenSource(t, spec), nil)
	if err != nil {
		t.Fatal(err)
	}
	c := open(t, prepared)
	cut, padded := tok.Encode(long)[:8], append(tok.Encode(short), eos)
	n := len(padded)
	want := []Row{
		{IDs: cut, Labels: cut, Segments: make([]int32, 8)},
		{
			IDs:    append(slices.Clone(padded), make([]int32, 8-n)...),
			Labels: append(slices.Clone(padded), slices.Repeat([]int32{IgnoredLabel}, 8-n)...), Segments: make([]int32, 8),
		},
	}
	if diff := cmp.Diff(want, rowsOf(c.Train())); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
	if len(prepared.Warnings) != 1 || !strings.Contains(prepared.Warnings[0], "1 of 2 rows are longer than sequence_length 8") {
		t.Errorf("Warnings = %q, want one about the row that was cut", prepared.Warnings)
	}
}

func rowsOf(rows Rows) []Row {
	var all []Row
	for i := range rows.Len() {
		all = append(all, rows.Row(i))
	}
	return all
}

func TestPreTokenisedRowsAreUsedAsTheyAre(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := write(t, dir, "rows.jsonl", `{"input_ids": [5, 6, 7], "labels": [-100, 6, 7], "attention_mask": [1, 1, 1]}

{"input_ids": [1, 2]}
{"input_ids": [1, 2, 3, 4, 9], "labels": [1, -100, 3, 4, 9]}`)
	spec := trial.DataSpec{Train: []string{path}, Validation: []string{path}, SequenceLength: 4}
	prepared, err := Prepare(t.Context(), t.TempDir(), Source{
		Files: fstest.MapFS{}, Model: trial.ModelInfo{VocabSize: 10, MaxPositions: 4}, Spec: spec,
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	c := open(t, prepared)
	none := make([]int32, 4)
	want := []Row{
		{[]int32{5, 6, 7, 0}, []int32{-100, 6, 7, -100}, none},
		{[]int32{1, 2, 0, 0}, []int32{1, 2, -100, -100}, none},
		{[]int32{1, 2, 3, 4}, []int32{1, -100, 3, 4}, none},
	}
	if diff := cmp.Diff(want, rowsOf(c.Train())); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
	if prepared.Info.TrainTokens != 5 {
		t.Errorf("TrainTokens = %d, want 5", prepared.Info.TrainTokens)
	}
	if len(prepared.Warnings) != 2 {
		t.Errorf("Warnings = %q, want one about the cut row of each side", prepared.Warnings)
	}
}

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
			write(t, dir, "all.txt", text.String())
		}},
		{"one file of lines", func(dir string) {
			var text strings.Builder
			for i := range 400 {
				text.WriteString(paragraph(i))
			}
			write(t, dir, "all.txt", text.String())
		}},
		{"many files", func(dir string) {
			for i := range 400 {
				write(t, dir, fmt.Sprintf("%03d.txt", i), paragraph(i))
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
		parts, held, err := s.split(document{text: text})
		if err != nil {
			t.Fatal(err)
		}
		var joined strings.Builder
		for i, part := range parts {
			joined.WriteString(part.text)
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
	path := write(t, dir, "rows.jsonl", rows.String())
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

func TestPrepareRefusesBadData(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	good := write(t, dir, "good.txt", strings.Repeat("Anne walked on. ", 20))
	row := write(t, dir, "row.jsonl", `{"input_ids": [1, 2]}`)
	cases := []struct {
		name  string
		train []string
		edit  func(*trial.DataSpec)
		want  string
	}{
		{name: "missing", train: []string{dir + "/none.txt"}, want: "no such data file: " + dir + "/none.txt"},
		{name: "glob", train: []string{dir + "/*.md"}, want: "data glob " + dir + "/*.md matches no file"},
		{name: "folder", train: []string{dir}, want: "is a folder"},
		{name: "empty", train: []string{write(t, dir, "empty.txt", "")}, want: "data.train is empty: no token to predict in " + dir + "/empty.txt: fill the file, or name another"},
		{name: "many empty", train: slices.Repeat([]string{write(t, dir, "e.txt", "")}, 5), want: "e.txt, 2 more: fill the file"},
		{name: "too short", train: []string{write(t, dir, "short.txt", "Anne.")}, want: "data.train is too short: 3 tokens of " + dir + "/short.txt do not fill one row of sequence_length 8: lower data.sequence_length, or use more text"},
		{name: "not UTF-8", train: []string{write(t, dir, "bad.txt", "a\nb\xffc")}, want: "bad.txt:2: not UTF-8"},
		{name: "json", train: []string{write(t, dir, "a.json", "[]")}, want: ".json files are not supported: write one object a line"},
		{name: "archive", train: []string{write(t, dir, "a.zip", "a")}, want: ".zip files are not supported; data can be text files"},
		{name: "built-in", train: []string{"builtin:rust"}, want: `no built-in data set "rust"`},
		{name: "malformed", train: []string{write(t, dir, "m.jsonl", "{\"input_ids\": [1, 2]}\n{\"input_ids\": [1,")}, want: "m.jsonl:2: not a row of jsonl"},
		{name: "no column", train: []string{write(t, dir, "t.jsonl", `{"body": "hello", "id": 1}`)}, want: "t.jsonl:1: no column to train on (columns: body, id): want text, prompt"},
		{name: "null", train: []string{write(t, dir, "0.jsonl", `{"text": null}`)}, want: "0.jsonl:1: no column to train on (columns: text)"},
		{name: "text that is none", train: []string{write(t, dir, "1.jsonl", `{"text": 7}`)}, want: "1.jsonl:1: column text: number is there, want text"},
		{name: "no completion", train: []string{write(t, dir, "2.jsonl", `{"prompt": "a"}`)}, want: "2.jsonl:1: no column to train on (columns: prompt)"},
		{name: "mixed pair", train: []string{write(t, dir, "3.jsonl", `{"prompt": "a", "completion": [{"role": "user", "content": "x"}]}`)}, want: "3.jsonl:1: prompt and completion must both be text"},
		{name: "no messages", train: []string{write(t, dir, "4.jsonl", `{"messages": []}`)}, want: "4.jsonl:1: the conversation is empty"},
		{name: "no role", train: []string{write(t, dir, "5.jsonl", `{"messages": [{"content": "x"}]}`)}, want: "5.jsonl:1: column messages: message {\"content\": \"x\"}: \"role\" is missing"},
		{name: "bytes in jsonl", train: []string{write(t, dir, "6.jsonl", "{\"text\": \"\xff\"}")}, want: "6.jsonl:1: not UTF-8 text (byte 10)"},
		{name: "deep nest", train: []string{write(t, dir, "7.jsonl", `{"x": `+strings.Repeat("[", 20000))}, want: "7.jsonl:1: not a row of jsonl"},
		{name: "not packed", train: []string{write(t, dir, "8.gz", "text")}, want: "8.gz: not a .gz file"},
		{name: "no csv column", train: []string{write(t, dir, "9.csv", "id,body\n1,x\n")}, want: "9.csv:1: no column to train on (columns: id, body): the first row must name text"},
		{name: "csv of ids", train: []string{write(t, dir, "10.csv", "input_ids\n1\n")}, want: "messages and input_ids need jsonl or parquet"},
		{name: "csv twice", train: []string{write(t, dir, "11.csv", "text,text\n1,2\n")}, want: "11.csv:1: two columns are called text"},
		{name: "csv cells", train: []string{write(t, dir, "12.csv", "id,text\n1,a\n2,b,c\n")}, want: "12.csv:3: another number of cells"},
		{name: "csv quote", train: []string{write(t, dir, "13.csv", "id,text\n1,\"a\n2,b\n")}, want: "13.csv:3: column"},
		{name: "csv bytes", train: []string{write(t, dir, "14.csv", "text\na\nb\xff\n")}, want: "14.csv:3: column text: not UTF-8"},
		{name: "no parquet", train: []string{write(t, dir, "15.parquet", "this is no parquet file")}, want: "15.parquet: not a parquet file"},
		{name: "ids that are text", train: []string{write(t, dir, "i.jsonl", `{"input_ids": "1 2"}`)}, want: "i.jsonl:1: column input_ids: string is there, want a list of token ids"},
		{name: "half an id", train: []string{write(t, dir, "h.jsonl", `{"input_ids": [1, 2.5]}`)}, want: "h.jsonl:1: column input_ids: number 2.5 is there, want a list of token ids"},
		{name: "null among ids", train: []string{write(t, dir, "q.jsonl", `{"input_ids": [1, null]}`)}, want: "q.jsonl:1: column input_ids: null among the numbers"},
		{name: "messages that are none", train: []string{write(t, dir, "j.jsonl", `{"messages": 7}`)}, want: "j.jsonl:1: column messages: number is there, want a list of messages"},
		{name: "prompt that is none", train: []string{write(t, dir, "o.jsonl", `{"prompt": {}, "completion": "a"}`)}, want: "o.jsonl:1: column prompt: object is there, want text or a list of messages"},
		{name: "another case", train: []string{write(t, dir, "c.jsonl", `{"Text": "the sea"}`)}, want: "c.jsonl:1: no column to train on (columns: Text): want text"},
		{name: "not an object", train: []string{write(t, dir, "l.jsonl", `[1, 2]`)}, want: "l.jsonl:1: not a row of jsonl"},
		{name: "labels", train: []string{write(t, dir, "n.jsonl", `{"input_ids": [1, 2], "labels": [1]}`)}, want: "n.jsonl:1: 2 input_ids but 1 labels"},
		{name: "mask", train: []string{write(t, dir, "k.jsonl", `{"input_ids": [1, 2], "attention_mask": [0, 1]}`)}, want: "k.jsonl:1: attention_mask hides"},
		{name: "vocabulary", train: []string{write(t, dir, "v.jsonl", `{"input_ids": [1, 2001]}`)}, want: "v.jsonl:1: id 2001 at position 1 is not in the model's vocabulary of 2001; name the model whose tokenizer made the ids"},
		{name: "negative", train: []string{write(t, dir, "g.jsonl", `{"input_ids": [1, -1]}`)}, want: "id -1 at position 1"},
		{name: "label", train: []string{write(t, dir, "w.jsonl", `{"input_ids": [1, 2], "labels": [0, -7]}`)}, want: "label -7 at position 1"},
		{name: "unsupervised", train: []string{write(t, dir, "u.jsonl", `{"input_ids": [1, 2], "labels": [1, -100]}`)}, want: "u.jsonl:1: no supervised token among the first 2"},
		{name: "no ids", train: []string{write(t, dir, "z.jsonl", `{"input_ids": []}`)}, want: "z.jsonl:1: no supervised token"},
		{name: "validation unsupervised", edit: func(s *trial.DataSpec) {
			s.Validation = []string{write(t, dir, "x.jsonl", `{"input_ids": [1, 2], "labels": [1, -100]}`)}
		}, want: "x.jsonl:1: no supervised token"},
		{name: "validation empty", edit: func(s *trial.DataSpec) { s.Validation = []string{write(t, dir, "y.jsonl", "\n")} }, want: "data.validation is empty: no token to predict in " + dir + "/y.jsonl"},
		{name: "no validation", edit: func(s *trial.DataSpec) { s.Validation = nil }, want: "set data.validation or data.validation_split"},
		{name: "both", edit: func(s *trial.DataSpec) { s.ValidationSplit = 0.1 }, want: "exclude each other"},
		{name: "split that leaves nothing", train: []string{row}, edit: func(s *trial.DataSpec) { s.Validation, s.ValidationSplit = nil, 0.5 }, want: "the split goes by hash"},
		{name: "positions", edit: func(s *trial.DataSpec) { s.SequenceLength = 1025 }, want: "sequence_length 1025 is beyond the model's 1024 positions"},
		{name: "length", edit: func(s *trial.DataSpec) { s.SequenceLength = 1 }, want: "a row needs at least 2 ids"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			spec := trial.DataSpec{Train: []string{good}, Validation: []string{good}, SequenceLength: 8, Packing: true}
			if c.train != nil {
				spec.Train = c.train
			}
			if c.edit != nil {
				c.edit(&spec)
			}
			cache := t.TempDir()
			_, err := Prepare(t.Context(), cache, goldenSource(t, spec), nil)
			if !errors.Is(err, trial.ErrInput) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("Prepare = %v, want an input error with %q", err, c.want)
			}
			if left, _ := filepath.Glob(filepath.Join(cache, "*")); len(left) > 1 || len(left) == 1 && !strings.HasSuffix(left[0], ".lock") {
				t.Errorf("the cache holds %q after the error", left)
			}
		})
	}
}

func TestPrepareUsesTheCache(t *testing.T) {
	t.Parallel()
	dir, cache := t.TempDir(), t.TempDir()
	path := write(t, dir, "a.txt", strings.Repeat("Anne walked on. ", 50))
	spec := trial.DataSpec{Train: []string{path}, Validation: []string{path}, SequenceLength: 8, Packing: true}
	run := func() (trial.CorpusInfo, bool) {
		read := false
		prepared, err := Prepare(t.Context(), cache, goldenSource(t, spec), func(int64, int64) { read = true })
		if err != nil {
			t.Fatal(err)
		}
		return prepared.Info, read
	}
	first, read := run()
	if !read {
		t.Error("the first Prepare did not read the corpus")
	}
	second, read := run()
	if read || second != first {
		t.Errorf("the second Prepare read again (%v) or differs: %+v, want %+v", read, second, first)
	}
	spec.Train = []string{write(t, dir, "b.txt", strings.Repeat("Anne walked on. ", 50))}
	if same, read := run(); read || same != first {
		t.Error("the same content under another name was prepared again")
	}
	spec.Train = []string{write(t, dir, "c.txt", strings.Repeat("Anne walked off. ", 50))}
	if other, _ := run(); other.Fingerprint == first.Fingerprint {
		t.Error("other content has the same fingerprint")
	}
	spec.Train = []string{path}
	if err := os.Truncate(filepath.Join(first.Path, trainFile), 10); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(first.Path+".tmp", 0o777); err != nil {
		t.Fatal(err)
	}
	if again, read := run(); !read || again != first {
		t.Error("a damaged corpus and the remains of a crash were not replaced")
	}
}

func TestPrepareTwiceAtOnce(t *testing.T) {
	t.Parallel()
	path := write(t, t.TempDir(), "a.txt", strings.Repeat("Anne walked on. ", 5000))
	spec := trial.DataSpec{Train: []string{path}, Validation: []string{path}, SequenceLength: 8, Packing: true}
	cache := t.TempDir()
	var readers sync.Map
	var group sync.WaitGroup
	for i := range 8 {
		group.Go(func() {
			_, err := Prepare(t.Context(), cache, goldenSource(t, spec), func(int64, int64) { readers.Store(i, true) })
			if err != nil {
				t.Errorf("Prepare %d = %v", i, err)
			}
		})
	}
	group.Wait()
	n := 0
	readers.Range(func(any, any) bool { n++; return true })
	if n != 1 {
		t.Errorf("%d of 8 tokenised the corpus, want 1", n)
	}
}

func TestPrepareStops(t *testing.T) {
	t.Parallel()
	path := write(t, t.TempDir(), "a.txt", strings.Repeat("Anne walked on. ", 50))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	spec := trial.DataSpec{Train: []string{path}, Validation: []string{path}, SequenceLength: 8, Packing: true}
	if _, err := Prepare(ctx, t.TempDir(), goldenSource(t, spec), nil); !errors.Is(err, context.Canceled) {
		t.Errorf("Prepare = %v, want %v", err, context.Canceled)
	}
}

func TestSamplesAreNeitherCutNorDropped(t *testing.T) {
	t.Parallel()
	path := write(t, t.TempDir(), "rows.jsonl", `{"input_ids": [39, 72]}
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
	path := write(t, t.TempDir(), "short.txt", "Hi 😀 c")
	spec := trial.DataSpec{Train: []string{path}, Validation: []string{path}, SequenceLength: 100, Packing: true}
	samples, warnings, err := Samples(t.Context(), goldenSource(t, spec), 0)
	if err != nil {
		t.Fatal(err)
	}
	want := []Sample{{
		Text: "Hi 😀 c<|endoftext|>", InputIDs: []int32{39, 72, 908, 222, 278, eos}, Labels: []int32{39, 72, 908, 222, 278, eos}, Segments: make([]int32, 6),
		Tokens: []string{"H", "i", " \uFFFD", "\uFFFD", " c", "<|endoftext|>"},
	}}
	if diff := cmp.Diff(want, samples); diff != "" {
		t.Errorf("samples (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"data.train: 6 tokens do not fill one row of sequence_length 100"}, warnings); diff != "" {
		t.Errorf("warnings (-want +got):\n%s", diff)
	}
}

// prepare makes a corpus in a cache of its own and opens it.
func prepare(t *testing.T, spec trial.DataSpec) *Corpus {
	t.Helper()
	prepared, err := Prepare(t.Context(), t.TempDir(), goldenSource(t, spec), nil)
	if err != nil {
		t.Fatal(err)
	}
	return open(t, prepared)
}

func open(t *testing.T, prepared Prepared) *Corpus {
	t.Helper()
	c, err := Open(prepared.Info.Path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	if diff := cmp.Diff(prepared.Info, c.Info()); diff != "" {
		t.Errorf("Open's info (-Prepare's +Open's):\n%s", diff)
	}
	return c
}

func goldenFiles(t *testing.T) fs.FS {
	t.Helper()
	return os.DirFS("testdata/gpt2")
}

func goldenSource(t *testing.T, spec trial.DataSpec) Source {
	t.Helper()
	return Source{Files: goldenFiles(t), Model: goldenModel(), Spec: spec}
}

func goldenModel() trial.ModelInfo {
	return trial.ModelInfo{VocabSize: 2001, MaxPositions: 1024}
}

func write(t testing.TB, dir, name, content string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(content), 0o666); err != nil {
		t.Fatal(err)
	}
	return path
}

// numbersIn returns the paragraph numbers in the text of rows.
func numbersIn(t *testing.T, rows Rows) map[string]bool {
	t.Helper()
	tok := loadGolden(t, "tokenizer.json")
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

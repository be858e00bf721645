package corpus

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/ranksweep/ranksweep/sweep/trial"
	"github.com/ranksweep/ranksweep/trainer/records/recordstest"
)

const eos = 2000 // <|endoftext|> of the tokenizer that goldenTokenizer loads

func TestPackingJoinsDocumentsAndLosesNothing(t *testing.T) {
	t.Parallel()
	tok := goldenTokenizer(t)
	dir := t.TempDir()
	texts := []string{"func main() {\n\treturn 1\n}\n", "", "She had nothing to say.\n", "Anne smiled, and walked on.\n", "Hi"}
	var wantIDs, wantLabels, wantSegments []int32
	for i, text := range texts {
		recordstest.Write(t, dir, fmt.Sprintf("%d.txt", i), text)
		if text == "" {
			continue
		}
		for j, id := range append(tok.Encode(text), eos) {
			at, label, segment := len(wantIDs)%8, id, int32(0)
			switch {
			case at > 0 && j == 0: // a document begins within a row
				label, segment = trial.IgnoredLabel, wantSegments[len(wantSegments)-1]+1
			case at > 0:
				segment = wantSegments[len(wantSegments)-1]
			}
			wantIDs, wantLabels, wantSegments = append(wantIDs, id), append(wantLabels, label), append(wantSegments, segment)
		}
	}
	if len(wantIDs)%8 < 2 || slices.Max(wantSegments) < 1 {
		t.Fatalf("%d ids in %d segments do not try a padded row and a joint", len(wantIDs), slices.Max(wantSegments)+1)
	}
	val := recordstest.Write(t, dir, "val", strings.Repeat("no. ", 20))
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
		if got.Labels[i] != trial.IgnoredLabel || got.Segments[i] != got.Segments[n-1] {
			t.Errorf("padding at %d has label %d, segment %d", i, got.Labels[i], got.Segments[i])
		}
	}
	if got := c.Info().TrainTokens; got != scored {
		t.Errorf("TrainTokens = %d, want %d", got, scored)
	}
}

func TestWithoutPackingADocumentIsARow(t *testing.T) {
	t.Parallel()
	tok := goldenTokenizer(t)
	dir := t.TempDir()
	short, long := "Anne.", "She had nothing whatever to say to any of them.\n"
	a, b := recordstest.Write(t, dir, "a.txt", short), recordstest.Write(t, dir, "b.txt", long)
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
			Labels: append(slices.Clone(padded), slices.Repeat([]int32{trial.IgnoredLabel}, 8-n)...), Segments: make([]int32, 8),
		},
	}
	if diff := cmp.Diff(want, rowsOf(c.Train())); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
	if len(prepared.Warnings) != 2 || !strings.Contains(prepared.Warnings[1], "1 of 2 rows are longer than sequence_length 8") {
		t.Errorf("Warnings = %q, want one about the row on both sides, one about the row that was cut", prepared.Warnings)
	}
}

func TestPreTokenisedRowsAreUsedAsTheyAre(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := recordstest.Write(t, dir, "rows.jsonl", `{"input_ids": [5, 6, 7], "labels": [-100, 6, 7], "attention_mask": [1, 1, 1]}

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
	if len(prepared.Warnings) != 3 {
		t.Errorf("Warnings = %q, want one about the rows on both sides, one about the cut row of each", prepared.Warnings)
	}
}

func TestPrepareRefusesBadData(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	good := recordstest.Write(t, dir, "good.txt", strings.Repeat("Anne walked on. ", 20))
	row := recordstest.Write(t, dir, "row.jsonl", `{"input_ids": [1, 2]}`)
	cases := []struct {
		name  string
		train []string
		edit  func(*trial.DataSpec)
		want  string
	}{
		{name: "missing", train: []string{dir + "/none.txt"}, want: "no such data file: " + dir + "/none.txt"},
		{name: "glob", train: []string{dir + "/*.md"}, want: "data glob " + dir + "/*.md matches no file"},
		{name: "folder", train: []string{dir}, want: "is a folder"},
		{
			name: "empty", train: []string{recordstest.Write(t, dir, "empty.txt", "")},
			want: "data.train is empty: no token to predict in " + dir + "/empty.txt: fill the file, or name another",
		},
		{name: "many empty", train: slices.Repeat([]string{recordstest.Write(t, dir, "e.txt", "")}, 5), want: "e.txt, 2 more: fill the file"},
		{
			name: "too short", train: []string{recordstest.Write(t, dir, "short.txt", "Anne.")},
			want: "data.train is too short: 3 token ids of " + dir +
				"/short.txt do not fill one row of sequence_length 8: lower data.sequence_length, or use more text",
		},
		{name: "not UTF-8", train: []string{recordstest.Write(t, dir, "bad.txt", "a\nb\xffc")}, want: "bad.txt:2: not UTF-8"},
		{
			name: "json", train: []string{recordstest.Write(t, dir, "a.json", "[]")},
			want: "data.train is empty: no token to predict in " + dir + "/a.json",
		},
		{name: "archive", train: []string{recordstest.Write(t, dir, "a.zip", "a")}, want: ".zip files are not supported; data can be text files"},
		{name: "built-in", train: []string{"builtin:rust"}, want: `no built-in data set "rust"`},
		{
			name: "malformed", train: []string{recordstest.Write(t, dir, "m.jsonl", "{\"input_ids\": [1, 2]}\n{\"input_ids\": [1,")},
			want: "m.jsonl:2: not a row of jsonl",
		},
		{
			name: "no column", train: []string{recordstest.Write(t, dir, "t.jsonl", `{"body": "hello", "id": 1}`)},
			want: "t.jsonl:1: no column to train on (columns: body, id): want text, prompt",
		},
		{
			name: "null", train: []string{recordstest.Write(t, dir, "0.jsonl", `{"text": null}`)},
			want: "0.jsonl:1: no column to train on (columns: text)",
		},
		{
			name: "text that is none", train: []string{recordstest.Write(t, dir, "1.jsonl", `{"text": 7}`)},
			want: "1.jsonl:1: column text: it holds a number, want text",
		},
		{
			name: "no completion", train: []string{recordstest.Write(t, dir, "2.jsonl", `{"prompt": "a"}`)},
			want: "2.jsonl:1: no column to train on (columns: prompt)",
		},
		{name: "mixed pair", train: []string{recordstest.Write(t, dir, "3.jsonl",
			`{"prompt": "a", "completion": [{"role": "user", "content": "x"}]}`)}, want: "3.jsonl:1: prompt and completion must both be text"},
		{
			name: "no messages", train: []string{recordstest.Write(t, dir, "4.jsonl", `{"messages": []}`)},
			want: "4.jsonl:1: the conversation is empty",
		},
		{
			name: "no role", train: []string{recordstest.Write(t, dir, "5.jsonl", `{"messages": [{"content": "x"}]}`)},
			want: "5.jsonl:1: column messages: message {\"content\": \"x\"}: \"role\" is missing",
		},
		{
			name: "bytes in jsonl", train: []string{recordstest.Write(t, dir, "6.jsonl", "{\"text\": \"\xff\"}")},
			want: "6.jsonl:1: not UTF-8 text (byte 10)",
		},
		{
			name: "deep nest", train: []string{recordstest.Write(t, dir, "7.jsonl", `{"x": `+strings.Repeat("[", 20000))},
			want: "7.jsonl:1: not a row of jsonl",
		},
		{name: "not packed", train: []string{recordstest.Write(t, dir, "8.gz", "text")}, want: "8.gz: not a .gz file"},
		{
			name: "no csv column", train: []string{recordstest.Write(t, dir, "9.csv", "id,body\n1,x\n")},
			want: "9.csv:1: no column to train on (columns: id, body): the first row must name text",
		},
		{
			name: "csv of ids", train: []string{recordstest.Write(t, dir, "10.csv", "input_ids\n1\n")},
			want: "messages and input_ids need jsonl or parquet",
		},
		{
			name: "csv twice", train: []string{recordstest.Write(t, dir, "11.csv", "text,text\n1,2\n")},
			want: "11.csv:1: two columns are called text",
		},
		{
			name: "csv cells", train: []string{recordstest.Write(t, dir, "12.csv", "id,text\n1,a\n2,b,c\n")},
			want: "12.csv:3: another number of cells",
		},
		{
			name: "csv quote", train: []string{recordstest.Write(t, dir, "13.csv", "id,text\n1,\"a\n2,b\n")},
			want: "13.csv:2: a quote opens cell 2",
		},
		{name: "csv bytes", train: []string{recordstest.Write(t, dir, "14.csv", "text\na\nb\xff\n")}, want: "14.csv:3: column text: not UTF-8"},
		{
			name: "no parquet", train: []string{recordstest.Write(t, dir, "15.parquet", "this is no parquet file")},
			want: "15.parquet: not a parquet file",
		},
		{
			name: "ids that are text", train: []string{recordstest.Write(t, dir, "i.jsonl", `{"input_ids": "1 2"}`)},
			want: "i.jsonl:1: column input_ids: it holds text, want a list of token ids",
		},
		{
			name: "half an id", train: []string{recordstest.Write(t, dir, "h.jsonl", `{"input_ids": [1, 2.5]}`)},
			want: "h.jsonl:1: column input_ids: it holds the number 2.5, want a list of token ids",
		},
		{
			name: "null among ids", train: []string{recordstest.Write(t, dir, "q.jsonl", `{"input_ids": [1, null]}`)},
			want: "q.jsonl:1: column input_ids: null among the numbers",
		},
		{
			name: "messages that are none", train: []string{recordstest.Write(t, dir, "j.jsonl", `{"messages": 7}`)},
			want: "j.jsonl:1: column messages: it holds a number, want a list of messages",
		},
		{
			name: "prompt that is none", train: []string{recordstest.Write(t, dir, "o.jsonl", `{"prompt": {}, "completion": "a"}`)},
			want: "o.jsonl:1: column prompt: it holds an object, want text or a list of messages",
		},
		{
			name: "another case", train: []string{recordstest.Write(t, dir, "c.jsonl", `{"Text": "the sea"}`)},
			want: "c.jsonl:1: no column to train on (columns: Text): want text",
		},
		{name: "not an object", train: []string{recordstest.Write(t, dir, "l.jsonl", `[1, 2]`)}, want: "l.jsonl:1: not a row of jsonl"},
		{
			name: "labels", train: []string{recordstest.Write(t, dir, "n.jsonl", `{"input_ids": [1, 2], "labels": [1]}`)},
			want: "n.jsonl:1: 2 input_ids but 1 labels",
		},
		{
			name: "mask", train: []string{recordstest.Write(t, dir, "k.jsonl", `{"input_ids": [1, 2], "attention_mask": [0, 1]}`)},
			want: "k.jsonl:1: attention_mask hides",
		},
		{
			name: "vocabulary", train: []string{recordstest.Write(t, dir, "v.jsonl", `{"input_ids": [1, 2001]}`)},
			want: "v.jsonl:1: id 2001 at position 1 is not in the model's vocabulary of 2001; name the model whose tokenizer made the ids",
		},
		{name: "negative", train: []string{recordstest.Write(t, dir, "g.jsonl", `{"input_ids": [1, -1]}`)}, want: "id -1 at position 1"},
		{
			name: "label", train: []string{recordstest.Write(t, dir, "w.jsonl", `{"input_ids": [1, 2], "labels": [0, -7]}`)},
			want: "label -7 at position 1",
		},
		{
			name: "unsupervised", train: []string{recordstest.Write(t, dir, "u.jsonl", `{"input_ids": [1, 2], "labels": [1, -100]}`)},
			want: "u.jsonl:1: no supervised token among the first 2",
		},
		{name: "no ids", train: []string{recordstest.Write(t, dir, "z.jsonl", `{"input_ids": []}`)}, want: "z.jsonl:1: no supervised token"},
		{name: "validation unsupervised", edit: func(s *trial.DataSpec) {
			s.Validation = []string{recordstest.Write(t, dir, "x.jsonl", `{"input_ids": [1, 2], "labels": [1, -100]}`)}
		}, want: "x.jsonl:1: no supervised token"},
		{
			name: "validation empty", edit: func(s *trial.DataSpec) { s.Validation = []string{recordstest.Write(t, dir, "y.jsonl", "\n")} },
			want: "data.validation is empty: no token to predict in " + dir + "/y.jsonl",
		},
		{name: "no validation", edit: func(s *trial.DataSpec) { s.Validation = nil }, want: "set data.validation or data.validation_split"},
		{name: "both", edit: func(s *trial.DataSpec) { s.ValidationSplit = 0.1 }, want: "exclude each other"},
		{
			name: "split that leaves nothing", train: []string{row},
			edit: func(s *trial.DataSpec) { s.Validation, s.ValidationSplit = nil, 0.5 }, want: "the split goes by hash",
		},
		{
			name: "positions", edit: func(s *trial.DataSpec) { s.SequenceLength = 1025 },
			want: "sequence_length 1025 is beyond the model's 1024 positions",
		},
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
	path := recordstest.Write(t, dir, "a.txt", strings.Repeat("Anne walked on. ", 50))
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
	spec.Train = []string{recordstest.Write(t, dir, "b.txt", strings.Repeat("Anne walked on. ", 50))}
	if same, read := run(); read || same != first {
		t.Error("the same content under another name was prepared again")
	}
	spec.Train = []string{recordstest.Write(t, dir, "c.txt", strings.Repeat("Anne walked off. ", 50))}
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

// TestDamagedCorporaAreMadeAnew: wherever one bit of a file is wrong, and where an earlier version left no checksums, nobody trains on it.
func TestDamagedCorporaAreMadeAnew(t *testing.T) {
	t.Parallel()
	path := recordstest.Write(t, t.TempDir(), "a.txt", anne)
	src := goldenSource(t, trial.DataSpec{Train: []string{path}, Validation: []string{path}, Retain: []string{path}, SequenceLength: 8})
	cache := t.TempDir()
	first, err := Prepare(t.Context(), cache, src, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{infoFile, trainFile, validationFile, retainFile} {
		file := filepath.Join(first.Info.Path, name)
		good, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for at := 0; at < len(good)-1; at += 7 { // behind the last byte of info.json a line ends
			bad := slices.Clone(good)
			bad[at] ^= 1 << (at % 8)
			if err := os.WriteFile(file, bad, 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := Open(first.Info.Path); !errors.Is(err, trial.ErrDamaged) {
				t.Fatalf("%s with byte %d changed: %v, want ErrDamaged", name, at, err)
			}
		}
		if again, err := Prepare(t.Context(), cache, src, nil); err != nil || again.Info != first.Info {
			t.Fatalf("prepared again: %+v, %v, want %+v", again.Info, err, first.Info)
		}
		if now, err := os.ReadFile(file); err != nil || !slices.Equal(good, now) {
			t.Errorf("%s is not what it was: %v", name, err)
		}
		if err := os.Remove(file); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(first.Info.Path); !errors.Is(err, trial.ErrDamaged) {
			t.Errorf("without %s: %v, want ErrDamaged", name, err)
		}
		if err := syscall.Mkfifo(file, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(first.Info.Path); !errors.Is(err, trial.ErrDamaged) {
			t.Errorf("with a pipe for %s: %v, want ErrDamaged", name, err)
		}
		if _, err := Prepare(t.Context(), cache, src, nil); err != nil {
			t.Fatal(err)
		}
	}
	meta, err := readInfo(first.Info.Path)
	if err != nil {
		t.Fatal(err)
	}
	meta.Sums, meta.Info.Path = nil, ""
	if err := writeInfo(filepath.Join(first.Info.Path, infoFile), meta); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(first.Info.Path); !errors.Is(err, trial.ErrDamaged) {
		t.Errorf("without checksums: %v, want ErrDamaged", err)
	}
}

func TestPrepareTwiceAtOnce(t *testing.T) {
	t.Parallel()
	path := recordstest.Write(t, t.TempDir(), "a.txt", strings.Repeat("Anne walked on. ", 5000))
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
	path := recordstest.Write(t, t.TempDir(), "a.txt", strings.Repeat("Anne walked on. ", 50))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	spec := trial.DataSpec{Train: []string{path}, Validation: []string{path}, SequenceLength: 8, Packing: true}
	if _, err := Prepare(ctx, t.TempDir(), goldenSource(t, spec), nil); !errors.Is(err, context.Canceled) {
		t.Errorf("Prepare = %v, want %v", err, context.Canceled)
	}
}

package corpus

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ranksweep/ranksweep/sweep/trial"
	"github.com/ranksweep/ranksweep/trainer/records/recordstest"
)

const capital = `{"instruction": "Name the capital.", "input": "France", "output": "Paris"}`

// TestInstructionsAreChatsOrAlpaca: the model's template writes them, and Alpaca's prompt where it has none. The answer is scored.
func TestInstructionsAreChatsOrAlpaca(t *testing.T) {
	t.Parallel()
	path := recordstest.Write(t, t.TempDir(), "a.json", "[\n  "+capital+"\n]")
	spec := trial.DataSpec{Train: []string{path}, Validation: []string{path}, SequenceLength: 256}
	const line = "data.train: instruction and answer (instruction, input, output), written "
	for name, c := range map[string]struct {
		src                 Source
		prompt, scored, how string
	}{
		"chat": {
			chatSource(t, chatML, spec), "<|im_start|>user\nName the capital.\nFrance<|im_end|>\n<|im_start|>assistant\n", "Paris<|im_end|>\n",
			"as chats by the model's template",
		},
		"alpaca": {
			goldenSource(t, spec), "Below is an instruction that describes a task, paired with an input that provides further context. Write a " +
				"response that appropriately completes the request.\n\n### Instruction:\nName the capital.\n\n### Input:\nFrance\n\n### Response:\n",
			"Paris<|endoftext|>", "with Alpaca's prompt, for the model has no chat template",
		},
	} {
		var found []string
		c.src.Found = func(line string) { found = append(found, line) }
		samples, warnings, err := Samples(t.Context(), c.src, 0)
		if err != nil || len(samples) != 1 || len(warnings) > 0 {
			t.Fatalf("%s: %d samples, %q, %v", name, len(samples), warnings, err)
		}
		tok := goldenTokenizer(t)
		from := slices.IndexFunc(samples[0].Labels, func(label int32) bool { return label != trial.IgnoredLabel })
		prompt, scored := tok.Decode(samples[0].InputIDs[:from]), tok.Decode(samples[0].Labels[from:])
		if prompt != c.prompt || scored != c.scored || !slices.Equal(found, []string{line + c.how}) {
			t.Errorf("%s: prompt %q, scored %q, found %q", name, prompt, scored, found)
		}
	}
	broken := chatSource(t, "{% if %}", spec)
	if _, _, err := Samples(t.Context(), broken, 0); !errors.Is(err, trial.ErrInput) || !strings.Contains(err.Error(), "chat template") {
		t.Errorf("a template that cannot be read: %v", err)
	}
}

// TestFound: what the rows are made of is said for each key, the same from the cache.
func TestFound(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	mixed := recordstest.Write(t, dir, "a.jsonl", `{"text": "Anne walked on."}`+"\n"+`{"prompt": "Anne:", "completion": " yes"}`+"\n"+
		`{"text": "She said no."}`)
	chat := recordstest.Write(t, dir, "b.jsonl", `{"conversations": [{"from": "human", "value": "Hi"}, {"from": "gpt", "value": "Anne"}]}`)
	plain := recordstest.Write(t, dir, "c.txt", strings.Repeat("Anne walked on. ", 20))
	want := []string{
		"data.train: 2 rows of text (text); 1 row of prompt and completion (prompt, completion)", "data.validation: chat (conversations)",
	}
	spec := trial.DataSpec{Train: []string{mixed}, Validation: []string{chat}, Retain: []string{plain}, SequenceLength: 32}
	src := chatSource(t, chatML, spec)
	cache := t.TempDir()
	for _, how := range []string{"prepared", "from the cache", "looked at"} {
		var found []string
		src.Found = func(line string) { found = append(found, line) }
		var err error
		if how == "looked at" {
			_, err = FirstRows(t.Context(), src, asIs)
		} else {
			_, err = Prepare(t.Context(), cache, src, nil)
		}
		if diff := cmp.Diff(want, found); err != nil || diff != "" {
			t.Errorf("%s: %v (-want +got):\n%s", how, err, diff)
		}
	}
}

// TestBadRows are counted, and the first of them named, by an error or, where they are skipped, by a warning.
func TestBadRows(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	lines := []string{capital}
	for range 11 {
		lines = append(lines, `{"text": 5}`)
	}
	lines = append(lines, "{", `{"text": "Anne walked on."}`, `{"input_ids": [1, 5000]}`, `{"input_ids": [1, 2], "labels": [-100, -100]}`)
	bad := recordstest.Write(t, dir, "bad.jsonl", strings.Join(lines, "\n"))
	good := recordstest.Write(t, dir, "good.jsonl", capital)
	spec := trial.DataSpec{Train: []string{bad}, Validation: []string{good}, SequenceLength: 256}
	list := ""
	for i := range 10 {
		list += fmt.Sprintf("\n  data file %s:%d: column text: it holds a number, want text", bad, i+2)
	}
	_, err := Prepare(t.Context(), t.TempDir(), goldenSource(t, spec), nil)
	want := "invalid input: 14 of 17 rows cannot be used; mend them, or leave them out with data.skip_bad_rows: true" + list + "\n  and 4 more"
	if !errors.Is(err, trial.ErrInput) || err.Error() != want {
		t.Errorf("Prepare = %v, want %s", err, want)
	}
	first := "data.train: of the first 20 rows of each file: invalid input: 14 of 16 rows cannot be used"
	at := func(key string, err error) error { return fmt.Errorf("%s: %w", key, err) }
	if _, err := FirstRows(t.Context(), goldenSource(t, spec), at); err == nil || !strings.HasPrefix(err.Error(), first) {
		t.Errorf("FirstRows = %v, want %s", err, first)
	}
	spec.SkipBadRows = true
	prepared, err := Prepare(t.Context(), t.TempDir(), goldenSource(t, spec), nil)
	told := "data: 14 of 17 rows cannot be used and are left out (data.skip_bad_rows: true)" + list + "\n  and 4 more"
	if err != nil || prepared.Info.TrainSequences != 2 || !slices.Equal(prepared.Warnings[1:], []string{told}) {
		t.Errorf("Prepare = %+v, %v, want 2 rows and the warning %s", prepared, err, told)
	}
	samples, warnings, err := Samples(t.Context(), goldenSource(t, spec), 0)
	if err != nil || len(samples) != 4 || len(warnings) < 1 || !strings.Contains(warnings[len(warnings)-1], "12 of 16 rows cannot be used") {
		t.Errorf("Samples = %d samples, %q, %v", len(samples), warnings, err)
	}
	spec.Validation = []string{recordstest.Write(t, dir, "none.jsonl", lines[1])}
	if _, err := Prepare(t.Context(), t.TempDir(), goldenSource(t, spec), nil); !errors.Is(err, trial.ErrInput) {
		t.Errorf("a side without a row left: %v", err)
	}
}

// TestLongRows are cut, dropped or refused, each said with where they are. Packed text is never long.
func TestLongRows(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	const short, long = `{"input_ids": [1, 2, 3]}` + "\n", `{"input_ids": [1, 2, 3, 4, 5, 6], "labels": [-100, 2, 3, 4, 5, 6]}` + "\n"
	const late = `{"input_ids": [1, 2, 3, 4, 5, 6], "labels": [-100, -100, -100, -100, 5, 6]}` + "\n"
	rows := recordstest.Write(t, dir, "rows.jsonl", short+long+short+long)
	other := recordstest.Write(t, dir, "late.jsonl", short+late)
	all := recordstest.Write(t, dir, "long.jsonl", long)
	valid := recordstest.Write(t, dir, "valid.jsonl", short)
	text := recordstest.Write(t, dir, "text.jsonl", `{"text": "`+strings.Repeat("Anne walked on. ", 20)+`"}`)
	for _, c := range []struct {
		train, longRows string
		packing         bool
		rows            int
		want            string // in the one warning or in the error
	}{
		{train: rows, rows: 4, want: "data.train: 2 of 4 rows are longer than sequence_length 4 and are cut there: " + rows + ":2, 4"},
		{
			train: rows, longRows: trial.LongRowsDrop, rows: 2,
			want: "data.train: 2 of 4 rows are longer than sequence_length 4 and are left out (data.long_rows: drop): " + rows + ":2, 4",
		},
		{train: rows, longRows: trial.LongRowsError, want: rows + ":2: 6 ids, more than sequence_length 4"},
		{train: other, want: other + ":2: no supervised token among the first 4"},
		{train: other, longRows: trial.LongRowsDrop, rows: 1, want: "1 of 2 rows are longer"},
		{train: all, longRows: trial.LongRowsDrop, want: "data.train: no row is left"},
		{train: text, longRows: trial.LongRowsError, packing: true, rows: 26},
		{train: text, longRows: trial.LongRowsError, want: text + ":1: 102 ids, more than sequence_length 4"},
	} {
		spec := trial.DataSpec{Train: []string{c.train}, Validation: []string{valid}, SequenceLength: 4, LongRows: c.longRows, Packing: c.packing}
		prepared, err := Prepare(t.Context(), t.TempDir(), goldenSource(t, spec), nil)
		if c.rows == 0 {
			if !errors.Is(err, trial.ErrInput) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("long_rows %q of %s: %v, want an error with %q", c.longRows, c.train, err, c.want)
			}
			continue
		}
		told := strings.Join(prepared.Warnings, "\n")
		if err != nil || prepared.Info.TrainSequences != c.rows || (told == "") != (c.want == "") || !strings.Contains(told, c.want) {
			t.Errorf("long_rows %q of %s: %+v, %v, want %d rows and %q", c.longRows, c.train, prepared, err, c.rows, c.want)
		}
	}
}

// TestColumns: data.columns is part of what a corpus is, and of data.retain a file may have names of its own.
func TestColumns(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	train := recordstest.Write(t, dir, "a.csv", "frage;antwort\nAnne:; yes\n")
	retain := recordstest.Write(t, dir, "b.jsonl", `{"text": "Anne walked on."}`)
	spec := trial.DataSpec{
		Train: []string{train}, Validation: []string{train}, Retain: []string{retain}, SequenceLength: 16,
		Columns: map[string]string{"prompt": "frage", "completion": "antwort"},
	}
	prepared, err := Prepare(t.Context(), t.TempDir(), goldenSource(t, spec), nil)
	if err != nil || prepared.Info.TrainTokens != 3 || prepared.Info.RetainSequences != 1 {
		t.Errorf("Prepare = %+v, %v", prepared, err)
	}
	spec.Validation, spec.Columns = []string{retain}, map[string]string{"prompt": "antwort", "completion": "frage"}
	if _, err := Prepare(t.Context(), t.TempDir(), goldenSource(t, spec), nil); !errors.Is(err, trial.ErrInput) ||
		!strings.Contains(err.Error(), "data.columns: no column frage for completion (columns: text)") {
		t.Errorf("Prepare = %v", err)
	}
}

// TestOlderFingerprintsStay: corpora of specs without the newer keys are found again.
func TestOlderFingerprintsStay(t *testing.T) {
	t.Parallel()
	path := recordstest.Write(t, t.TempDir(), "a.jsonl", `{"text": "Anne walked on."}`)
	spec := trial.DataSpec{Train: []string{path}, Validation: []string{path}, SequenceLength: 16}
	seen := map[string]bool{}
	for _, edit := range []func(*trial.DataSpec){
		func(*trial.DataSpec) {},
		func(s *trial.DataSpec) { s.SkipBadRows = true },
		func(s *trial.DataSpec) { s.LongRows = trial.LongRowsDrop },
		func(s *trial.DataSpec) { s.Columns = map[string]string{"text": "text"} },
	} {
		s := spec
		edit(&s)
		p, err := newPlan(t.Context(), goldenSource(t, s))
		if err != nil {
			t.Fatal(err)
		}
		seen[p.fingerprint()] = true
	}
	const before = "3448b9aa2ef3e506c0aa3dd8b42e3a6f4a2918e706797eed83c556d1efb68ac6"
	if len(seen) != 4 || !seen[before] {
		t.Errorf("fingerprints %v, want 4, and among them %s", seen, before)
	}
}

func asIs(_ string, err error) error { return err }

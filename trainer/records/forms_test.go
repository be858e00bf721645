package records

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"

	"github.com/ranksweep/ranksweep/trainer/records/recordstest"
)

// compareLines compares documents, or parts of the errors about them.
func compareLines(t *testing.T, name string, got, want []string) {
	t.Helper()
	if !slices.EqualFunc(got, want, func(got, want string) bool {
		return got == want || strings.HasPrefix(got, "invalid input: ") && strings.Contains(got, want)
	}) {
		t.Errorf("%s (-want +got):\n%s", name, cmp.Diff(want, got))
	}
}

// TestForms: a row with one document, or an error.
func TestForms(t *testing.T) {
	t.Parallel()
	const ab = `instruction and answer: user "a" assistant "b"`
	for _, c := range []struct{ row, want string }{
		// pairs
		{`{"question": "a", "response": "b"}`, ab},
		{`{"query": "a", "answer": "b"}`, ab},
		{`{"problem": "a", "solution": "b"}`, ab},
		{`{"input": "a", "output": "b"}`, ab},
		{`{"instruction": "a", "output": "b", "input": null}`, ab},
		{`{"instruction": "a", "output": "b", "answer": "c"}`, ab},
		{`{"user": "a", "assistant": "b", "id": 7}`, ab},
		{`{"question": "a", "context": "c", "answer": "b"}`, `instruction and answer: user "a\nc" assistant "b"`},
		{`{"input": "a", "context": "c", "output": "b"}`, `instruction and answer: user "a\nc" assistant "b"`},
		{`{"system_prompt": "s", "question": "a", "response": "b"}`, `instruction and answer: system "s" user "a" assistant "b"`},
		{
			`{"instruction": "a", "output": "b", "history": [["c", "d"]]}`,
			`instruction and answer: user "c" assistant "d" user "a" assistant "b"`,
		},
		{`{"problem": "a", "solution": "b", "answer": "c"}`, "answer and solution could both be the output: say which with data.columns"},
		{`{"instruction": "a", "output": 5}`, "column output: it holds a number, want text"},
		{`{"text": "c", "instruction": "a", "output": "b"}`, `text: "c"`},
		{`{"prompt": "a", "completion": "b", "instruction": "c"}`, `prompt and completion: "a" "b"`},
		{`{"question": "a", "answers": {"text": ["b"]}}`, "no column to train on (columns: answers, question)"},
		{`{"input_ids": [1, 2, 3], "completion_mask": [0, 1, 1], "x": {}}`, "token ids: [1 2 3] [-100 2 3]"},
		{`{"input_ids": [1, 2], "labels": [1, 2], "assistant_masks": [0]}`, "token ids: [1 2] [1 2]"},
		{`{"input_ids": [1, 2], "assistant_masks": [0]}`, "2 input_ids but 1 entries of assistant_masks"},
		// ShareGPT
		{
			`{"conversations": [{"from": "user", "value": "a"}, {"from": "chatgpt", "value": "b", "weight": 0}]}`,
			`chat: user "a" assistant "b"`,
		},
		{`{"conversations": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}`, `chat: user "a" assistant "b"`},
		{
			`{"system": "s", "conversations": [{"from": "human", "value": "a"}, {"from": "gpt", "value": "b"}]}`,
			`chat: system "s" user "a" assistant "b"`,
		},
		{`{"system": "s", "conversation": [{"from": "system", "value": "t"}, {"from": "human", "value": "a"}]}`, `chat: system "t" user "a"`},
		{`{"messages": [{"from": "human", "value": "a"}, {"from": "gpt", "value": "b"}]}`, `chat: user "a" assistant "b"`},
		{`{"prompt": [{"from": "human", "value": "a"}], "completion": [{"from": "gpt", "value": "b"}]}`, `chat: user "a" assistant "b"`},
		{`{"conversations": [{"from": "human", "value": "a"}, {"from": "alien", "value": "b"}]}`, `message 2: from "alien" is none of human`},
		{`{"conversations": [{"from": "function_call", "value": "{}"}]}`, "message 1: the value of a function_call has no name"},
		{`{"conversations": [{"from": "function_call", "value": "call()"}]}`, "message 1: the value of a function_call is not JSON"},
		{`{"messages": "[{'role': 'user', 'content': 'a'}]"}`, "a list as Python prints it: write it as JSON"},
		{`{"conversations": "a chat"}`, "it holds text, want a list of messages"},
		{`{"text": "c", "conversations": [{"from": "human", "value": "a"}]}`, `text: "c"`},
		{
			`{"conversations": [{"from": "observation", "value": "a"}, {"from": "gpt", "value": "b"}], "prompt": null}`,
			`chat: tool "a" assistant "b"`,
		},
		{
			`{"messages": [{"role": "function", "content": "a"}, {"role": "model", "content": "b"}], "system": "unread"}`,
			`chat: function "a" assistant "b"`,
		},
		// not for training here
		{`{"chosen": "a", "rejected": "b"}`, "a preference row (chosen, rejected), as DPO takes it"},
		{`{"prompt": "a", "completion": "b", "label": true}`, "a row with a verdict on its answer (label true or false), as KTO takes it"},
		{`{"prompt": "a", "completion": "b", "label": "true"}`, `prompt and completion: "a" "b"`},
		{`{"prompt": "a", "completions": ["b"], "labels": [true]}`, "a row of stepwise supervision"},
		{`{"prompt": "a", "ground_truth": "b"}`, "a prompt without an answer, as GRPO"},
		{`{"prompt": "a", "completion": "b", "images": ["x.png"]}`, "column images: only text is supported"},
		{`{"prompt": "a", "completion": "b", "images": [], "image": ""}`, `prompt and completion: "a" "b"`},
		{`{"text": "NaN", "x": [-Infinity, "\"NaN"]}`, `text: "NaN"`},
		{`{"text": NaN}`, "no column to train on (columns: text)"},
	} {
		compareLines(t, c.row, documents(t, recordstest.Write(t, t.TempDir(), "a.jsonl", c.row), nil), []string{c.want})
	}
}

// TestFunctionCalls are turns that call, as templates know them.
func TestFunctionCalls(t *testing.T) {
	t.Parallel()
	raw, err := normalMessages([]byte(`[{"from": "human", "value": "a < b"}, {"from": "function_call", "value": ` +
		`"{\"name\": \"f\", \"arguments\": {\"x\": 1}}"}, {"from": "function_call", "value": "[{\"name\": \"g\", \"arguments\": {}}]"}]`))
	want := `[{"role":"user","content":"a \u003c b"},` +
		`{"role":"assistant","content":"","tool_calls":[{"function":{"name":"f","arguments":{"x":1}},"type":"function"}]},` +
		`{"role":"assistant","content":"","tool_calls":[{"function":{"name":"g","arguments":{}},"type":"function"}]}]`
	if diff := cmp.Diff(want, string(raw)); err != nil || diff != "" {
		t.Errorf("normalMessages: %v (-want +got):\n%s", err, diff)
	}
}

// TestAlpacaPrompt is Stanford Alpaca's.
func TestAlpacaPrompt(t *testing.T) {
	t.Parallel()
	const first = "Below is an instruction that describes a task"
	const request = " Write a response that appropriately completes the request.\n\n### Instruction:\nAdd.\n\n"
	for _, c := range []struct {
		row  instruction
		want string
	}{
		{instruction{ask: "Add."}, first + "." + request + "### Response:\n"},
		{
			instruction{ask: "Add.", input: "2"},
			first + ", paired with an input that provides further context." + request + "### Input:\n2\n\n### Response:\n",
		},
		{instruction{ask: "Add.", system: "Be brief."}, "Be brief.\n\n### Instruction:\nAdd.\n\n### Response:\n"},
		{instruction{ask: "Add.", history: [][2]string{{"a", "b"}}}, ""},
	} {
		if got := c.row.document().Prompt; got != c.want {
			t.Errorf("prompt of %+v = %q, want %q", c.row, got, c.want)
		}
	}
}

// TestJSONLists: JSON that is no object a line.
func TestJSONLists(t *testing.T) {
	t.Parallel()
	const a, b = `text: "a"`, `text: "b"`
	for _, c := range []struct {
		body string
		want []string
	}{
		{`[]`, nil},
		{"\uFEFF [{\"text\": \"a\"}\n]\n", []string{a}},
		{"[\n {\"text\": \"a\"},\n\n {\n  \"text\": \"b\"\n }\n]", []string{a, b}},
		{`["a", "b"]`, []string{a, b}},
		{`{"version": 1, "data": [{"text": "a"}, {"text": "b"}], "n": 2}`, []string{a, b}},
		{"{\n \"meta\": {\"data\": [{\"x\": 1}]},\n \"train\": [\n {\"text\": \"a\"}\n ]\n}", []string{a}},
		{`{"train": [{"text": "a"}], "test": [{"text": "b"}]}`, []string{a, "a.json:1: it holds two lists of rows, train and test"}},
		{"{\"text\": \"a\"}\n{\"text\":\n\"b\"}", []string{a, "a.json:2: not a row of jsonl", "a.json:3: not a row of jsonl"}},
		{"{\n\"text\": \"a\"} {\"text\":\n\"b\"}", []string{a, b}},
		{`[{"text": "a"}, {"text": "b"`, []string{a, "a.json:1, row 2: not a row of jsonl: the file ends within it"}},
		{"[{\"text\": \"a\"},\n", []string{a, "a.json:2: not a row of jsonl: the file ends within it"}},
		{`[{"text": "a"} {"text": "b"}]`, []string{a, `a.json:1: not JSON: '{' where ',' should be`}},
		{`[{"text": "a"}] {"text": "b"}`, []string{a, `a.json:1: '{' follows the end of the rows`}},
		{`[{"text": "a"}, {"text": ]}, {"text": "b"}, 7]`, []string{a, "a.json:1, row 2: not a row of jsonl", "not JSON"}},
		{`[{"text": 1}, 7, {"text": "b"}]`, []string{"a.json:1: column text", "a.json:1, row 2: not a row", b}},
		{`{"id": 1, "entities": [{"start": 0}], "text": "a"}`, []string{a}},
	} {
		compareLines(t, c.body, documents(t, recordstest.Write(t, t.TempDir(), "a.json", c.body), nil), c.want)
	}
}

// TestJSONArraysAreStreamed: the first row of an array comes before the rest is read.
func TestJSONArraysAreStreamed(t *testing.T) { //nolint:paralleltest // it measures
	path := recordstest.Write(t, t.TempDir(), "a.json", `[{"text": "a"}, {"text": "`)
	if err := os.Truncate(path, 1<<30); err != nil { // takes no place on the disk
		t.Fatal(err)
	}
	inputs, err := Local([]string{path})
	if err != nil {
		t.Fatal(err)
	}
	used := grown(func() {
		for doc, err := range inputs[0].Documents(t.Context()) {
			if err != nil || doc.Text != "a" {
				t.Errorf("document %+v, %v", doc, err)
			}
			break
		}
	})
	if used > 1<<20 {
		t.Errorf("%d KiB were taken for the first row", used>>10)
	}
}

// TestContentBeforeName: what a file holds counts, where its name says nothing or something else.
func TestContentBeforeName(t *testing.T) {
	t.Parallel()
	const lines = "{\"text\": \"a\"}\n{\"text\": \"b\"}\n"
	both := []string{`text: "a"`, `text: "b"`}
	pair := []string{`prompt and completion: "a" "b"`}
	var packed bytes.Buffer
	w, err := zstd.NewWriter(&packed)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte(lines)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		body string
		want []string
	}{
		"a.txt": {lines, both}, "a.md": {lines, both}, "noending": {lines, both}, "a.data": {`[{"text": "a"}, {"text": "b"}]`, both},
		"a.csv": {lines, both}, "a.jsonl.zst": {packed.String(), both}, "b.txt": {packed.String(), both}, "a.dump": {packed.String(), both},
		"a.csv.gz": {recordstest.Gzip(t, "id;text\n1;a\n2;b\n"), both}, "packed": {recordstest.Gzip(t, lines), both},
		"b.data": {"prompt,completion\na,b\n", pair}, "c.txt": {"prompt\tcompletion\na\tb\n", pair}, "b.csv": {"prompt|completion\na|b\n", pair},
		"c.tsv": {"prompt,completion\na,b\n", pair}, "text.txt": {"text, completion\n", []string{`text: "text, completion\n"`}},
		"json.txt": {"{\"a\": 1}\n", []string{"no column to train on (columns: a)"}},
		"code.js":  {"{ a: 1 }", []string{`text: "{ a: 1 }"`}}, "list.md": {"[a](b)", []string{`text: "[a](b)"`}},
		"BZh.txt":     {"BZh is text", []string{`text: "BZh is text"`}},
		"n.txt":       {"a\x00b\x00", []string{"it has a byte of 0, so it is no UTF-8 text"}},
		"d.jsonl.zst": {lines, []string{"d.jsonl.zst: not a .zst file"}},
		"e.jsonl.zst": {packed.String()[:packed.Len()-6], []string{"e.jsonl.zst"}},
	} {
		compareLines(t, name, documents(t, recordstest.Write(t, t.TempDir(), name, c.body), nil), c.want)
	}
}

// TestColumnsOfOtherNames (data.columns).
func TestColumnsOfOtherNames(t *testing.T) {
	t.Parallel()
	question := map[string]string{"prompt": "frage", "completion": "antwort"}
	const row, csv = `{"frage": "a", "antwort": "b", "text": "c"}`, "frage;antwort;text\na;b;c\n"
	for _, c := range []struct {
		name, body string
		columns    map[string]string
		want       []string
	}{
		{"a.jsonl", row, question, []string{`prompt and completion: "a" "b"`}},
		{"a.json", "[" + row + "]", question, []string{`prompt and completion: "a" "b"`}},
		{"a.csv", csv, question, []string{`prompt and completion: "a" "b"`}},
		{"b.csv", csv, map[string]string{"instruction": "frage", "output": "antwort"}, []string{
			`instruction and answer: user "a" assistant "b"`,
		}},
		{"b.jsonl", row, map[string]string{"text": "frage"}, []string{`text: "a"`}},
		{
			"c.jsonl", `{"chat": [{"from": "human", "value": "a"}], "text": "c"}`,
			map[string]string{"messages": "chat"},
			[]string{`chat: user "a"`},
		},
		{"d.jsonl", `{"prompt": "a", "completion": "b"}`, map[string]string{"prompt": "completion", "completion": "prompt"}, []string{
			`prompt and completion: "b" "a"`,
		}},
		{"dpo.jsonl", `{"prompt": "a", "chosen": "b", "rejected": "c"}`, map[string]string{"prompt": "prompt", "completion": "chosen"}, []string{
			`prompt and completion: "a" "b"`,
		}},
		{
			"chosen.jsonl", `{"chosen": [{"role": "user", "content": "a"}], "rejected": [], "prompt": "a"}`,
			map[string]string{"messages": "chosen"},
			[]string{`chat: user "a"`},
		},
		{"e.jsonl", row, map[string]string{"text": "fragen"}, []string{
			"data.columns: no column fragen for text; did you mean frage? (columns: antwort, frage, text)",
		}},
		{"f.csv", csv, map[string]string{"text": "body"}, []string{"data.columns: no column body for text (columns: frage, antwort, text)"}},
		{"g.jsonl", row + "\n" + row, map[string]string{"instruction": "frage", "output": "antwort", "input": "texte"}, []string{
			`instruction and answer: user "a" assistant "b"`, `instruction and answer: user "a" assistant "b"`,
			"data.columns: no column texte for input; did you mean text?",
		}},
		{"h.jsonl", `{"frage": null, "antwort": "b"}`, question, []string{"no column to train on (columns: antwort, frage)"}},
	} {
		compareLines(t, c.name, documents(t, recordstest.Write(t, t.TempDir(), c.name, c.body), c.columns), c.want)
	}
}

// TestOwnNames: a file that has none of the columns of data.columns stays as it is where that is allowed.
func TestOwnNames(t *testing.T) {
	t.Parallel()
	path := recordstest.Write(t, t.TempDir(), "a.csv", "text\nc\nd\n")
	for own, want := range map[bool]string{true: "", false: "no column antwort"} {
		inputs, err := Local([]string{path})
		if err != nil {
			t.Fatal(err)
		}
		inputs[0].Columns, inputs[0].OwnNames = map[string]string{"prompt": "frage", "completion": "antwort"}, own
		rows, wrong := 0, ""
		for _, err := range inputs[0].Documents(t.Context()) {
			if rows++; err != nil {
				wrong = err.Error()
			}
		}
		if rows < 2 || (wrong == "") != (want == "") || !strings.Contains(wrong, want) {
			t.Errorf("OwnNames %v: %d rows, error %q, want one with %q", own, rows, wrong, want)
		}
	}
}

// TestDataFileNames tells tables from what lies beside them in a repository.
func TestDataFileNames(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]bool{
		"data/alpaca.json": true, "a.jsonl.zst": true, "a.csv.bz2": true, "a.parquet": true, "README.md": true, "a.py": false,
		"dataset_infos.json": false, filepath.Join("data", "state.json"): false, "a.arrow": false,
	} {
		if got := IsDataFile(name); got != want {
			t.Errorf("IsDataFile(%s) = %v", name, got)
		}
	}
}

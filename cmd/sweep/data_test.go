package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ranksweep/ranksweep/trainer/corpus"
)

func TestDataShowsRowsUntrimmed(t *testing.T) {
	t.Parallel()
	grid := dataGrid(t, `{"input_ids": [5, 6, 7], "labels": [-100, -100, 7]}
{"input_ids": [1, 2, 3, 4, 5, 6, 7, 8, 9]}
{"input_ids": [1, 700], "labels": [1, -100]}
`)
	code, stdout, stderr := sweepCommand(t, "data", grid, "-o", "json")
	if code != exitOK {
		t.Fatalf("exit %d: %s", code, stderr)
	}
	var got struct {
		Schema   string
		Samples  []corpus.Sample
		Warnings []string
	}
	if err := json.Unmarshal([]byte(stdout), &got); err != nil {
		t.Fatal(err)
	}
	want := []corpus.Sample{
		{InputIDs: []int32{5, 6, 7}, Labels: []int32{-100, -100, 7}},
		{InputIDs: []int32{1, 2, 3, 4, 5, 6, 7, 8, 9}, Labels: []int32{1, 2, 3, 4, 5, 6, 7, 8, 9}},
		{InputIDs: []int32{1, 700}, Labels: []int32{1, -100}},
	}
	if diff := cmp.Diff(want, got.Samples); diff != "" || got.Schema != "sweep.data/v1" {
		t.Errorf("schema %q, samples (-want +got):\n%s", got.Schema, diff)
	}
	for _, text := range []string{
		"rows.jsonl:2: 9 ids are cut at sequence_length 8", "rows.jsonl:3: id 700 at position 1",
		"rows.jsonl:3: no supervised token",
	} {
		if !strings.Contains(stderr, text) || !strings.Contains(strings.Join(got.Warnings, "\n"), text) {
			t.Errorf("stderr or warnings lack %q:\n%s", text, stderr)
		}
	}
	if code, again, stderr := sweepCommand(t, "data", grid, "-o", "json", "-q"); code != exitOK || again != stdout || stderr != "" {
		t.Errorf("with -q: exit %d, stderr %q, want the same on stdout and silence", code, stderr)
	}
}

func TestDataTableMarksWhatIsSupervised(t *testing.T) {
	t.Parallel()
	grid := dataGrid(t, `{"input_ids": [5, 6, 7], "labels": [-100, -100, 7]}
{"input_ids": [1, 2]}
`)
	code, stdout, stderr := sweepCommand(t, "data", grid, "--limit", "1")
	if code != exitOK {
		t.Fatalf("exit %d: %s", code, stderr)
	}
	want := "row 1: 3 token ids, 1 supervised\n  ids    5 6 [7]\n"
	if rest, ok := strings.CutPrefix(stdout, want); !ok || strings.Contains(rest, "row 2") {
		t.Errorf("sweep data prints\n%s\nwant it to start\n%s", stdout, want)
	}
}

// TestDataTable pins what people see of packed text, of a completion and of a conversation, plain and coloured.
func TestDataTable(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	model := filepath.Join(dir, "model")
	if err := os.Mkdir(model, 0o777); err != nil {
		t.Fatal(err)
	}
	files := map[string]string{
		"rows.jsonl": `{"text": "Go is fun.\n"}
{"text": "So is this."}
{"prompt": "Is it?", "completion": " Yes."}
{"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello."}, ` +
			`{"role": "user", "content": "Bye"}, {"role": "assistant", "content": "So long."}]}` + "\n",
		"model/chat_template.jinja": "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}" +
			"{% if add_generation_prompt %}assistant: {% endif %}",
		"grid.yaml": "model: " + model + `
data: {train: rows.jsonl, validation: rows.jsonl, sequence_length: 64}
lora: {rank: [1], alpha: 1, target_modules: [c_attn]}
train: {steps: 1, learning_rate: 1e-3}
`,
	}
	for _, name := range []string{"config.json", "tokenizer.json", "tokenizer_config.json"} {
		body, err := os.ReadFile(filepath.Join("../../trainer/weights/builtin/gopher", name))
		if err != nil {
			t.Fatal(err)
		}
		files["model/"+name] = string(body)
	}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	code, stdout, stderr := sweepCommand(t, "data", filepath.Join(dir, "grid.yaml"))
	if code != exitOK {
		t.Fatalf("exit %d: %s", code, stderr)
	}
	golden(t, "data.txt", strings.ReplaceAll(stdout, dir, "DIR"))
	var coloured bytes.Buffer
	view := dataView{Model: "m", Samples: []corpus.Sample{{
		Tokens: []string{"a", "b"}, Text: "ab", InputIDs: []int32{1, 2},
		Labels: []int32{1, 2},
	}}}
	if err := writeSamples(&coloured, view, true); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(coloured.String(), "tokens a\x1b[32;1mb\x1b[0m\n") || strings.Contains(coloured.String(), "[b]") {
		t.Errorf("coloured:\n%q", coloured.String())
	}
}

func TestDataReportsBadInputAsUsage(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ rows, want string }{
		"malformed": {"{\n", "rows.jsonl:1: not a row of jsonl"},
		"empty":     {"", "data.train is empty"},
	} {
		if code, _, stderr := sweepCommand(t, "data", dataGrid(t, c.rows)); code != exitUsage || !strings.Contains(stderr, c.want) {
			t.Errorf("%s: exit %d, %s; want exit %d with %q", name, code, stderr, exitUsage, c.want)
		}
	}
}

// dataGrid writes a grid over a file of pre-tokenised rows and a model of 512 tokens that has no weights to read.
func dataGrid(t *testing.T, rows string) string {
	t.Helper()
	dir := t.TempDir()
	config, err := os.ReadFile("../../trainer/model/testdata/tiny-gpt2/config.json")
	if err != nil {
		t.Fatal(err)
	}
	grid := fmt.Sprintf(`
name: data
model: %s
data: {train: rows.jsonl, validation: rows.jsonl, sequence_length: 8}
lora: {rank: [1], alpha: 1, target_modules: [c_attn]}
train: {steps: 1, batch_size: 1, learning_rate: 1e-3}
`, filepath.Join(dir, "model"))
	if err := os.Mkdir(filepath.Join(dir, "model"), 0o777); err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{"model/config.json": string(config), "rows.jsonl": rows, "grid.yaml": grid} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(dir, "grid.yaml")
}

// TestDataSaysWhatRowsAre, and what it leaves out, on stderr.
func TestDataSaysWhatRowsAre(t *testing.T) {
	t.Parallel()
	path := dataGrid(t, `[{"input_ids": [1, 2]}, 7, {"input_ids": [3, 4]}]`)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	grid := strings.Replace(string(text), "sequence_length: 8", "sequence_length: 8, skip_bad_rows: true", 1)
	if err := os.WriteFile(path, []byte(grid), 0o666); err != nil {
		t.Fatal(err)
	}
	rows := filepath.Join(filepath.Dir(path), "rows.jsonl")
	code, _, stderr := sweepCommand(t, "data", path)
	want := "data.train: token ids (input_ids)\nwarning: data: 1 of 3 rows cannot be used and are left out (data.skip_bad_rows: true)\n" +
		"  data file " + rows + ":1, row 2: not a row of jsonl: want an object, as {\"text\": \"…\"}\n"
	if code != exitOK || stderr != want {
		t.Errorf("exit %d, stderr %q, want %q", code, stderr, want)
	}
}

package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ranksweep/ranksweep/trainer/data"
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
		Samples  []data.Sample
		Warnings []string
	}
	if err := json.Unmarshal([]byte(stdout), &got); err != nil {
		t.Fatal(err)
	}
	want := []data.Sample{
		{InputIDs: []int32{5, 6, 7}, Labels: []int32{-100, -100, 7}},
		{InputIDs: []int32{1, 2, 3, 4, 5, 6, 7, 8, 9}, Labels: []int32{1, 2, 3, 4, 5, 6, 7, 8, 9}},
		{InputIDs: []int32{1, 700}, Labels: []int32{1, -100}},
	}
	if diff := cmp.Diff(want, got.Samples); diff != "" || got.Schema != "sweep.data/v1" {
		t.Errorf("schema %q, samples (-want +got):\n%s", got.Schema, diff)
	}
	for _, text := range []string{"rows.jsonl:2: 9 ids are cut at sequence_length 8", "rows.jsonl:3: id 700 at position 1", "rows.jsonl:3: no supervised token"} {
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
	want := "row 1: 3 ids, 1 supervised\n  text \"\"\n  ids  [5] [6] 7\n"
	if rest, ok := strings.CutPrefix(stdout, want); !ok || strings.Contains(rest, "row 2") {
		t.Errorf("sweep data prints\n%s\nwant it to start\n%s", stdout, want)
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

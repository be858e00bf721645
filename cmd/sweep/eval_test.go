package main

import (
	"encoding/json"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// evalRows are two pre-tokenised rows for the built-in model: four predictions, one of them not supervised.
func evalRows(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "rows.jsonl")
	rows := "{\"input_ids\": [5, 6, 7, 8]}\n{\"input_ids\": [9, 10], \"labels\": [9, -100]}\n"
	if err := os.WriteFile(path, []byte(rows), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestEvalScoresTheBuiltinModel(t *testing.T) {
	t.Parallel()
	// The real binary: under the race detector the pure-Go backend does not run in the test's own process.
	args := []string{"eval", "--model", "builtin:gopher", "--data", evalRows(t), "--backend", "go"}
	stdout, err := exec.CommandContext(t.Context(), sweepBinary(t), append(args, "-o", "json")...).Output()
	if err != nil {
		t.Fatal(err)
	}
	checkSchema(t, stdout)
	var got struct {
		Schema            string
		Loss, Perplexity  float64
		TokenAccuracy     *float64 `json:"token_accuracy"`
		Tokens, Sequences int
	}
	if err := json.Unmarshal(stdout, &got); err != nil {
		t.Fatal(err)
	}
	if got.Schema != "sweep.eval/v1" || got.Tokens != 3 || got.Sequences != 2 || !(got.Loss > 0) || got.TokenAccuracy == nil ||
		got.Perplexity != math.Exp(got.Loss) {
		t.Errorf("sweep eval prints %s", stdout)
	}
	stdout, err = exec.CommandContext(t.Context(), sweepBinary(t), append(args, "-o", "csv")...).Output()
	if text := string(stdout); err != nil || !strings.HasPrefix(text, "loss,perplexity,token_accuracy,tokens,sequences\n") ||
		!strings.HasSuffix(text, ",3,2\n") {
		t.Errorf("sweep eval -o csv: %v, %s", err, text)
	}
}

// TestEvalColumnsKeepTheirOrder: what only some evaluations have stands behind the columns of all.
func TestEvalColumnsKeepTheirOrder(t *testing.T) {
	t.Parallel()
	v := evalView{ValLoss: new(1.5)}
	v.TokenAccuracy, v.ExactMatch, v.RetainLoss = new(0.25), new(0.125), new(2.0)
	v.Loss, v.Perplexity, v.Tokens, v.Sequences = 1.25, 3.5, 30, 4
	header, row := v.columns()
	const wantHeader = "loss,perplexity,token_accuracy,tokens,sequences,exact_match,retain_loss,val_loss"
	const wantRow = "1.250000,3.5000,0.2500,30,4,0.1250,2.0000,1.500000"
	if h, r := strings.Join(header, ","), strings.Join(row, ","); h != wantHeader || r != wantRow {
		t.Errorf("columns are\n%s\n%s\nwant\n%s\n%s", h, r, wantHeader, wantRow)
	}
}

func TestEvalRefusesBadInput(t *testing.T) {
	t.Parallel()
	rows := evalRows(t)
	foreign := filepath.Join(t.TempDir(), "foreign.jsonl")
	if err := os.WriteFile(foreign, []byte(`{"input_ids": [1, 99999]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct {
		args []string
		want string
	}{
		"no flags":         {nil, "--model and --data"},
		"no such backend":  {[]string{"--model", "builtin:gopher", "--data", rows, "--backend", "foo"}, "foo"},
		"no such model":    {[]string{"--model", "./none", "--data", rows}, "no such model"},
		"no such data":     {[]string{"--model", "builtin:gopher", "--data", "none.txt"}, "no such data file"},
		"no adapter there": {[]string{"--model", "builtin:gopher", "--data", rows, "--adapter", t.TempDir()}, "adapter_config.json"},
		"another vocabulary": {
			[]string{"--model", "builtin:gopher", "--data", foreign},
			"row 1: id 99999 at position 1 is not in the model's vocabulary of 2048",
		},
		"row too long":       {[]string{"--model", "builtin:gopher", "--data", rows, "--sequence-length", "3"}, "row 1 has 4 ids"},
		"too many positions": {[]string{"--model", "builtin:gopher", "--data", rows, "--sequence-length", "129"}, "128 positions"},
		"data and a trial":   {[]string{"--trial", "1f", "--data", rows}, "--data does not go with --trial"},
		"last of no trial":   {[]string{"--model", "builtin:gopher", "--data", rows, "--last"}, "--last goes with --trial"},
		"last and another":   {[]string{"--trial", "1f", "--model", "builtin:gopher", "--last"}, "beside --model"},
		"no such dtype":      {[]string{"--model", "builtin:gopher", "--data", rows, "--dtype", "float16"}, "bfloat16"},
		"batch of none":      {[]string{"--model", "builtin:gopher", "--data", rows, "--batch-size", "0"}, "batch size 0"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			code, stdout, stderr := sweepCommand(t, append([]string{"eval", "--backend", "go"}, tc.args...)...)
			if code != exitUsage || stdout != "" || !strings.Contains(stderr, tc.want) {
				t.Errorf("exit %d, stdout %q, stderr %q, want exit 2 and %q", code, stdout, stderr, tc.want)
			}
		})
	}
}

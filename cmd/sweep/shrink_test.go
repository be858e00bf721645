package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ranksweep/ranksweep/sweep/plateau"
	"github.com/ranksweep/ranksweep/trainer"
)

// tinyAdapter is one that PEFT trained, of rank 8.
const tinyModel, tinyAdapter = "../../trainer/model/testdata/tiny-gpt2", "../../trainer/model/testdata/lora/gpt2_c_attn_r8/final_zero_B"

func TestShrinkChoosesAndWrites(t *testing.T) {
	t.Parallel()
	rows := filepath.Join(t.TempDir(), "rows.jsonl")
	if err := os.WriteFile(rows, []byte(`{"input_ids": [5, 7, 11, 13, 17, 19, 23, 29]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(t.TempDir(), "r2")
	// The real binary: under the race detector the pure-Go backend does not run in the test's own process.
	args := []string{"shrink", tinyAdapter, "--model", tinyModel, "--data", rows, "--backend", "go"}
	stdout, err := exec.CommandContext(t.Context(), sweepBinary(t), append(args, "--to", "2", "--out", out, "-o", "json")...).Output()
	if err != nil {
		t.Fatal(err)
	}
	checkSchema(t, stdout)
	var got struct {
		Schema   string
		Rank, To int
		Path     string
		MinGain  float64 `json:"min_gain"`
		Ranks    []shrinkRank
		Serving  map[string]any
	}
	if err := json.Unmarshal(stdout, &got); err != nil {
		t.Fatal(err)
	}
	if got.Schema != "sweep.shrink/v1" || got.Rank != 8 || got.To != 2 || got.Path != out || len(got.Ranks) != 4 ||
		got.MinGain != 0.005*got.Ranks[3].ValLoss || got.Serving["vllm_max_lora_rank"] != 8.0 {
		t.Errorf("sweep shrink prints %s", stdout)
	}
	args[1] = out
	stdout, err = exec.CommandContext(t.Context(), sweepBinary(t), append(args, "-o", "csv")...).Output()
	if lines := strings.Split(string(stdout), "\n"); err != nil || len(lines) != 4 || lines[0] != "rank,val_loss,difference,bytes" {
		t.Errorf("shrinking what was written: %v, %s", err, stdout)
	}
}

func TestShrinkAuto(t *testing.T) {
	t.Parallel()
	var curve []trainer.ShrunkRank
	for i, loss := range []float64{4.5, 4.03, 4.0199, 4.0} {
		at := trainer.ShrunkRank{Rank: 1 << i}
		at.Loss = loss
		curve = append(curve, at)
	}
	for _, c := range []struct {
		minGain string
		to      int
		want    int
		says    string
	}{
		{"0.5%", 0, 4, "Rank 4 loses 0.0199 nats against rank 8, less than min_gain 0.02."},
		{"1%", 0, 2, "Rank 2 loses 0.03 nats"},
		{"0.001", 0, 8, "Rank 8 is the adapter as it is."},
		{"9", 0, 1, "Rank 1 loses 0.5 nats"},
		{"0.5%", 1, 1, "Rank 1 loses 0.5 nats against rank 8, more than min_gain 0.02. Rank 4 is the lowest that loses less."},
	} {
		minGain, err := plateau.ParseMinGain(c.minGain)
		if err != nil {
			t.Fatal(err)
		}
		v := newShrinkView("adapter", curve, c.to, minGain)
		if v.To != c.want || !strings.HasPrefix(v.summary(), c.says) {
			t.Errorf("--min-gain %s --to %d: rank %d, %q; want rank %d, %q", c.minGain, c.to, v.To, v.summary(), c.want, c.says)
		}
	}
}

func TestShrinkRefusesBadInput(t *testing.T) {
	t.Parallel()
	rows, full := evalRows(t), t.TempDir()
	if err := os.WriteFile(filepath.Join(full, "file"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"no data":         {[]string{tinyAdapter, "--model", tinyModel}, "needs --model and --data"},
		"no adapter":      {[]string{t.TempDir(), "--model", tinyModel, "--data", rows}, "adapter_config.json"},
		"another model's": {[]string{tinyAdapter, "--model", "builtin:gopher", "--data", rows}, "does not fit"},
		"larger rank":     {[]string{tinyAdapter, "--model", tinyModel, "--data", rows, "--to", "16"}, "has rank 8"},
		"no rank":         {[]string{tinyAdapter, "--model", tinyModel, "--data", rows, "--to", "0"}, "--to 0: want a rank"},
		"no gain":         {[]string{tinyAdapter, "--model", tinyModel, "--data", rows, "--min-gain", "-1"}, "--min-gain -1"},
		"folder in use":   {[]string{tinyAdapter, "--model", tinyModel, "--data", rows, "--out", full}, "is not empty"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			code, stdout, stderr := sweepCommand(t, append([]string{"shrink", "--backend", "go"}, c.args...)...)
			if code != exitUsage || stdout != "" || !strings.Contains(stderr, c.want) {
				t.Errorf("exit %d, stdout %q, stderr %q, want exit 2 and %q", code, stdout, stderr, c.want)
			}
		})
	}
}

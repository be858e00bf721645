package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ranksweep/ranksweep/sweep/plateau"
)

func TestPlanUncalibrated(t *testing.T) {
	t.Parallel()
	s := newTestSweep(t, "go", 10)
	code, stdout, stderr := sweepCommand(t, "plan", s.path("grid.yaml"), "--no-calibrate")
	if code != exitOK || stderr != "" {
		t.Fatalf("exit %d: %s", code, stderr)
	}
	// tiny-gpt2 is 64 wide: c_attn 64 to 192, c_proj 64 to 64 and 256 to 64, in two layers. 10 steps of 2 rows predict 15 ids each.
	want := `sweep test: 1 cell, 6 trials, at most 1 800 tokens
smallest gain that 2 seeds can certify: 3.18 % of the lowest rank's loss at the second rank, 1.5 at the last at best ` +
		`(noise_sd by default 0.25 % of that loss); min_gain is 0.5%
seeds that could certify a gain of min_gain: 5 at the second rank, 4 at the last at best
┌────────────┬──────────┬──────┬──────────┬──────┐
│ protocol   │ expected │ time │  at most │ time │
├────────────┼──────────┼──────┼──────────┼──────┤
│ ladder     │ 6 trials │      │ 6 trials │      │
│ scout      │ 6 trials │      │ 7 trials │      │
│ exhaustive │ 6 trials │      │ 6 trials │      │
└────────────┴──────────┴──────┴──────────┴──────┘
expected is the mean over all ranks as the answer: a ladder climbs 3 further (patience), a scout trains the largest rank once, then ` +
		`the answer, one rank below it and 3 above; it climbs if that misleads
`
	if head, _, _ := strings.Cut(stdout, "\nladder"); head != want {
		t.Errorf("plan starts\n%s\nwant\n%s", head, want)
	}
	for _, row := range []string{
		"│    1 │     8 │       8 │      1 408 │      2 │         300 │ ?      │ ?         │",
		"│    4 │     8 │       2 │      5 632 │      2 │         300 │ ?      │ ?         │",
	} {
		if !strings.Contains(stdout, row) {
			t.Errorf("plan lacks the row\n%s\n%s", row, stdout)
		}
	}
}

// The calibration runs real workers, on the backend that every machine has.
// TestPlanOfEpochs: how many steps epochs make is known once the data is read, and not before.
func TestPlanOfEpochs(t *testing.T) {
	t.Parallel()
	s := newTestSweep(t, "go", 10)
	s.edit("steps: 10", "num_train_epochs: 3")
	code, stdout, stderr := sweepCommand(t, "plan", s.path("grid.yaml"), "--no-calibrate")
	if code != exitOK || strings.Contains(stdout, "tokens\n") || !strings.Contains(stdout, "│      2 │ ?           │ ?") {
		t.Errorf("exit %d: %s\n%s", code, stderr, stdout)
	}
	out, err := s.sweep("plan", s.path("grid.yaml"), "--backend", "go", "-q").Output() // the program, which its workers are too
	if err != nil || !strings.Contains(string(out), " (60 steps, 3 epochs)\n") || !strings.Contains(string(out), "│ scout ") {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestPlanCalibrates(t *testing.T) {
	t.Parallel()
	s := newTestSweep(t, "go", 10)
	cmd := s.sweep("plan", s.path("grid.yaml"), "--backend", "go", "-o", "json", "-q")
	scratch := t.TempDir()
	cmd.Env = append(cmd.Env, "TMPDIR="+scratch)
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %v", cmd.Args, err)
	}
	var got struct {
		Trials  int
		Tokens  int64
		Seconds *float64
		Ladders []struct{ Rungs []planRung }
	}
	if err := json.Unmarshal(out, &got); err != nil {
		t.Fatal(err)
	}
	if got.Trials != 6 || got.Tokens != 1800 || got.Seconds == nil || *got.Seconds <= 0 {
		t.Errorf("plan = %+v", got)
	}
	for _, r := range got.Ladders[0].Rungs {
		if r.PredictedBytes == nil || *r.PredictedBytes < 1<<20 || r.TrialSeconds == nil || *r.TrialSeconds <= 0 || r.OverMemory {
			t.Errorf("rung %+v lacks memory or time", r)
		}
	}
	if _, err := os.Stat(filepath.Join(s.path("runs"), "sweep.db")); err == nil {
		t.Error("plan wrote a database")
	}
	if left, err := filepath.Glob(filepath.Join(scratch, "*")); err != nil || len(left) > 0 {
		t.Errorf("plan left %v behind (%v)", left, err)
	}
}

// TestPlanCheckpointing: where limits.memory stops a rank, plan trains with gradient checkpointing, too, and says what that changes.
func TestPlanCheckpointing(t *testing.T) {
	t.Parallel()
	s := newTestSweep(t, "go", 10)
	s.edit("seeds:", "limits: {memory: 1MiB}\nseeds:")
	out, err := s.sweep("plan", s.path("grid.yaml"), "--backend", "go", "-q").Output()
	for _, want := range []string{"rank 1 (ladder 1) would need ", "; with train.gradient_checkpointing: true it would", "no smaller grid"} {
		if err != nil || !strings.Contains(string(out), want) {
			t.Fatalf("%v: it does not say %q:\n%s", err, want, out)
		}
	}
	s.edit("steps: 10", "steps: 10, gradient_checkpointing: true")
	out, err = s.sweep("plan", s.path("grid.yaml"), "--backend", "go", "-q").Output()
	if err != nil || strings.Contains(string(out), "with train.gradient_checkpointing") {
		t.Errorf("%v: a grid that has it is told of it:\n%s", err, out)
	}
}

func TestNeededText(t *testing.T) {
	t.Parallel()
	needed := plateau.DefaultRule().SeedsNeeded(5)
	if text := neededText(needed, *needed.Second); text != "" {
		t.Errorf("with enough seeds it says %q", text)
	}
	needed.Second = nil
	if text := neededText(needed, 3); !strings.Contains(text, "more than 100 at the second rank") {
		t.Errorf("with more than is counted it says %q", text)
	}
	if text := neededText(plateau.SeedsNeeded{}, 3); text != "" {
		t.Errorf("where nothing is known it says %q", text)
	}
}

func TestPlanRefusesBadGrid(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "grid.yaml")
	if err := os.WriteFile(path, []byte("model: x\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, command := range []string{"plan", "validate"} {
		code, stdout, stderr := sweepCommand(t, command, path)
		if code != exitUsage || stdout != "" || !strings.Contains(stderr, "grid.yaml:1:1: lora.rank is missing") {
			t.Errorf("%s: exit %d, stdout %q, stderr %q", command, code, stdout, stderr)
		}
	}
}

package main

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ranksweep/ranksweep/sweep/plateau"
	"github.com/ranksweep/ranksweep/sweep/trial"
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
smallest gain that 2 seeds can certify: 3.18 % of the lowest rank's loss at the second rank, 1.5 at the last at best (noise_sd by default 0.25 % of that loss); min_gain is 0.5%
seeds that could certify a gain of min_gain: 5 at the second rank, 4 at the last at best
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

func TestSeedsNeeded(t *testing.T) {
	t.Parallel()
	rule := plateau.DefaultRule()
	n := newSeedsNeeded(rule, 5)
	enough, fewer := rule.Resolution(*n.Second, 5), rule.Resolution(*n.Second-1, 5)
	if enough.Second >= rule.MinGain.Value || fewer.Second < rule.MinGain.Value {
		t.Errorf("%d seeds tell %v at the second rank and one fewer %v, want the fewest that tell %v", *n.Second, enough.Second, fewer.Second, rule.MinGain.Value)
	}
	if *n.Last >= *n.Second {
		t.Errorf("%d seeds at the last rank, %d at the second; the last shares variances", *n.Last, *n.Second)
	}
	if text := n.text(*n.Second); text != "" {
		t.Errorf("with enough seeds it says %q", text)
	}
	rule.MinGain.Value = 1e-6
	if n := newSeedsNeeded(rule, 5); n.Second != nil || n.Last != nil || n.text(3) != "" {
		t.Errorf("a tiny min_gain needs %+v, want more than is counted", n)
	}
	rule = plateau.DefaultRule()
	rule.NoiseSD = 0.01 // nats, where min_gain is a share of an unknown loss
	if n := newSeedsNeeded(rule, 5); n.Second != nil || n.Last != nil {
		t.Errorf("nats against a share = %+v, want nothing", n)
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

func TestReadMeasurement(t *testing.T) {
	t.Parallel()
	at := func(seconds float64) time.Time { return time.Unix(0, int64(seconds*1e9)) }
	point := func(seconds float64) trial.Event { return trial.Event{At: at(seconds), Point: &trial.Point{}} }
	eval := trial.Event{Evaluation: &trial.Evaluation{Seconds: 0.5}}
	done := trial.Event{Outcome: &trial.Outcome{State: trial.OutcomeDone, TrainSeconds: 8, TotalSeconds: 12}}
	host := int64(300)
	memory := trial.Event{Memory: &trial.Memory{PeakHostBytes: &host}}
	predicted := trial.Event{Prediction: &trial.Prediction{PredictedBytes: 900}}
	over := trial.Event{Outcome: &trial.Outcome{State: trial.OutcomeOverMemory}}
	failed := trial.Event{Outcome: &trial.Outcome{State: trial.OutcomeFailed, Error: "no such tensor"}}
	for _, tt := range []struct {
		name   string
		events []trial.Event
		want   measurement
		err    string
	}{
		{
			"the first step is slow",
			[]trial.Event{predicted, eval, point(5), point(6), point(7), point(9), eval, memory, done},
			measurement{Rank: 4, Startup: 3, EvalSeconds: 0.5, StepSeconds: 1, Bytes: 300},
			"",
		},
		{"one step", []trial.Event{predicted, eval, point(5), eval, memory, done}, measurement{Rank: 4, Startup: 3, EvalSeconds: 0.5, StepSeconds: 8, Bytes: 300}, ""},
		{"over the limit", []trial.Event{predicted, over}, measurement{Rank: 4, Bytes: 900, OverMemory: true}, ""},
		{"failed", []trial.Event{failed}, measurement{}, "the worker failed: no such tensor"},
		{"crashed", []trial.Event{predicted}, measurement{}, "the worker ended without a word"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := readMeasurement(4, "xla:cpu", tt.events)
			if tt.err != "" {
				if err == nil || err.Error() != tt.err {
					t.Errorf("error %v, want %s", err, tt.err)
				}
				return
			}
			if diff := cmp.Diff(tt.want, got); diff != "" || err != nil {
				t.Errorf("error %v, -want +got\n%s", err, diff)
			}
		})
	}
}

func TestEstimate(t *testing.T) {
	t.Parallel()
	low := measurement{Rank: 1, Startup: 2, EvalSeconds: 1, StepSeconds: 0.1, Bytes: 1000}
	high := measurement{Rank: 5, Startup: 4, EvalSeconds: 1, StepSeconds: 0.3, Bytes: 5000}
	got := estimate([2]measurement{low, high}, 2)
	if got.Bytes != 2000 || math.Abs(got.StepSeconds-0.15) > 1e-12 || got.Startup != 2.5 {
		t.Errorf("between = %+v", got)
	}
	// 20 steps with an evaluation at 0, 8, 16 and 20.
	if s := low.seconds(trial.TrainSpec{Steps: 20, EvalSteps: 8}); math.Abs(s-8) > 1e-12 {
		t.Errorf("seconds = %v, want 8", s)
	}
	over := measurement{Rank: 5, Bytes: 9000, OverMemory: true}
	if got := estimate([2]measurement{low, over}, 5); !got.OverMemory || got.StepSeconds != 0.1 || got.Bytes != 9000 {
		t.Errorf("over the limit = %+v", got)
	}
}

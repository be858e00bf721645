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
	want := `sweep test: 1 cell, 6 trials, at most 1 800 supervised tokens
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
at most is every rank with all 2 seeds; expected has them from the answer on, and below it those that a rank begins with: ` +
		`2 at a climb's two lowest ranks, then 1 (seeds_per_rank: needed)
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

// TestSeedsText: below the protocols it says what seeds they count, and what else.
func TestSeedsText(t *testing.T) {
	t.Parallel()
	v := planView{Seeds: 3, rule: plateau.DefaultRule(), sparing: true, Ladders: []planLadder{{Reference: &planRung{}}}}
	v.rule.Stop = plateau.StopCertified
	want := "at most is every rank with all 3 seeds; expected has them from the answer on, and below it those that a rank begins with: 2 at " +
		"a climb's two lowest ranks, then 1 (seeds_per_rank: needed); to certify a plateau the sweep may draw more, up to 6 per rank " +
		"(stop: certified); full fine-tuning is counted in every protocol\n"
	if got := v.seedsText(); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// TestResolutionText: one seed certifies what the rule lets it, and says so where that is nothing.
func TestResolutionText(t *testing.T) {
	t.Parallel()
	v := planView{Seeds: 1, MinGain: "0.015", rule: plateau.DefaultRule()}
	v.rule.MinGain, v.rule.NoiseSD, v.rule.NoiseSource = plateau.MinGain{Value: 0.015}, 0.005, plateau.NoiseFromGrid
	v.Resolution, v.Needed = v.rule.Resolution(1, 4), v.rule.SeedsNeeded(4)
	want := "smallest gain that 1 seed can certify: 0.0173 nats at the second rank, 0.0173 at the last at best (noise_sd of the grid); " +
		"min_gain is 0.015\nseeds that could certify a gain of min_gain: 4 at the second rank, 3 at the last at best"
	if got := v.resolutionText(); got != want {
		t.Errorf("noise_sd given: got\n%s\nwant\n%s", got, want)
	}
	v.rule, v.MinGain = plateau.DefaultRule(), "0.5%"
	v.Resolution, v.Needed = v.rule.Resolution(1, 4), v.rule.SeedsNeeded(4)
	want = "1 seed can certify no plateau on a noise_sd that nobody gave (by default 0.25 % of the lowest rank's loss); min_gain is 0.5%\n" +
		"seeds that could certify a gain of min_gain: 5 at the second rank, 4 at the last at best"
	if got := v.resolutionText(); got != want {
		t.Errorf("by default: got\n%s\nwant\n%s", got, want)
	}
}

// TestPlanOffersScouts: plan compares with a scout where sweep scout would run, and says of races what this grid's would save.
func TestPlanOffersScouts(t *testing.T) {
	t.Parallel()
	const (
		row    = "│ scout "
		scout  = ", a scout trains the largest rank once"
		race   = "racing over the cells may save more"
		late   = race + ", from the third rank on\n"
		early  = race + ": cells whose scouts certainly lose train nothing else\n"
		before = "dropout: 0.1"
		two    = "dropout: [0.0, 0.1]"
		first  = "strategy scout: one more trial"
	)
	for name, tt := range map[string]struct {
		edits [][2]string
		says  []string
		not   []string
	}{
		"one cell":         {nil, []string{row, scout}, []string{race, first}},
		"two cells":        {[][2]string{{before, two}}, []string{row, scout, late}, []string{first}},
		"dora":             {[][2]string{{before, before + ", use_dora: true"}}, nil, []string{row, scout, first}},
		"one seed":         {[][2]string{{before, two}, {"seeds: [0, 1]", "seeds: [0]"}}, []string{row}, []string{race}},
		"one rank":         {[][2]string{{before, two}, {"rank: [1, 2, 4]", "rank: [4]"}}, nil, []string{row, scout, race}},
		"scouts of cells":  {[][2]string{{before, two}, {"seeds:", "strategy: scout\nseeds:"}}, []string{row, early, first}, []string{late}},
		"scout of no rank": {[][2]string{{"rank: [1, 2, 4]", "rank: [4]"}, {"seeds:", "strategy: scout\nseeds:"}}, nil, []string{row, first}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newTestSweep(t, "go", 10)
			for _, e := range tt.edits {
				s.edit(e[0], e[1])
			}
			code, stdout, stderr := sweepCommand(t, "plan", s.path("grid.yaml"), "--no-calibrate")
			if code != exitOK {
				t.Fatalf("exit %d: %s", code, stderr)
			}
			for _, text := range tt.says {
				if !strings.Contains(stdout, text) {
					t.Errorf("it does not say %q:\n%s", text, stdout)
				}
			}
			for _, text := range tt.not {
				if strings.Contains(stdout, text) {
					t.Errorf("it says %q:\n%s", text, stdout)
				}
			}
		})
	}
}

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
	checkSchema(t, out)
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

// TestPlanOfExtended: what a sweep has spent of its limits counts in the plan of the grid that extends it, as in the run. extend would
// refuse a cheaper grid, so none is offered.
func TestPlanOfExtended(t *testing.T) {
	t.Parallel()
	s := newTestSweep(t, "go", 10)
	s.ends(exitOK, "", "run", s.path("grid.yaml"), "--backend", "go")
	s.edit("rank: [1, 2, 4]", "rank: [1, 2, 4, 8, 16]")
	s.edit("seeds:", "limits: {tokens: 1800}\nseeds:")              // all of it is spent: a little more may do for short trials of rank 8
	out, err := s.sweep("plan", s.path("grid.yaml"), "-q").Output() // on the sweep's backend, whatever is best here
	const want = "limits.tokens 1800 is reached at rank 8 of ladder 1, where all would take up to 3000, of which the sweep has taken 1800\n" +
		"sweep test is registered: extend takes a higher limit, but"
	if err != nil || !strings.Contains(string(out), "6 trials finished before") || !strings.Contains(string(out), want) ||
		strings.Contains(string(out), "replace in this one") {
		t.Fatalf("%v: it does not say %q, and that alone:\n%s", err, want, out)
	}
	s.ends(exitOK, "limits.tokens (1800) ran out before rank 8 was complete", "extend", s.path("grid.yaml"), "--backend", "go")
}

// TestPlanOffersAGrid: the lines of a cheaper grid, put in as plan says, make a grid that validate accepts and that keeps the limit.
func TestPlanOffersAGrid(t *testing.T) {
	t.Parallel()
	s := newTestSweep(t, "go", 10)
	s.edit("steps: 10", "num_train_epochs: 20, warmup_steps: 300") // of 20 steps
	s.edit("seeds:", "limits: {tokens: 50000}\nseeds:")
	out, err := s.sweep("plan", s.path("grid.yaml"), "--backend", "go", "-q").Output()
	const want = "; remove train.num_train_epochs and replace in this one:\ntrain:\n  steps: 200\n  warmup_steps: 150\n"
	if err != nil || !strings.Contains(string(out), want) {
		t.Fatalf("%v: it does not say %q:\n%s", err, want, out)
	}
	s.edit("num_train_epochs: 20, warmup_steps: 300", "steps: 200, warmup_steps: 150")
	if out, err := s.sweep("validate", s.path("grid.yaml")).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	out, err = s.sweep("plan", s.path("grid.yaml"), "--backend", "go", "-q").Output()
	if err != nil || strings.Contains(string(out), "limits.tokens") {
		t.Errorf("%v: it does not keep the limit:\n%s", err, out)
	}
}

// TestPlanRemedies: where memory stops a rank, plan trains with what may help, too, and says what that changes.
func TestPlanRemedies(t *testing.T) {
	t.Parallel()
	s := newTestSweep(t, "go", 10)
	s.edit("seeds:", "limits: {memory: 1MiB}\nseeds:")
	out, err := s.sweep("plan", s.path("grid.yaml"), "--backend", "go", "-q").Output()
	for _, want := range []string{
		"rank 1 (ladder 1) would need ", "; with train.batch_size: 1, train.gradient_accumulation_steps: 2 it would",
		"; with train.gradient_checkpointing: true it would", "no smaller grid",
	} {
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

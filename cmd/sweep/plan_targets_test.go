package main

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/ranksweep/ranksweep/sweep/lora"
)

func TestPlanTargets(t *testing.T) {
	t.Parallel()
	s := newTestSweep(t, "go", 10)
	s.edit("alpha: 8, dropout: 0.1, target_modules: [c_attn, c_proj]", "alpha: [8, 16], target_modules: [[c_attn], [c_attn, c_proj]]")
	code, stdout, stderr := sweepCommand(t, "plan", s.path("grid.yaml"), "--targets")
	if code != exitOK || stderr != "" {
		t.Fatalf("exit %d: %s", code, stderr)
	}
	// tiny-gpt2 is 64 wide, with two layers: c_attn is 64 to 192, attn.c_proj 64 to 64, mlp.c_proj 256 to 64. Two alphas share a selection.
	for _, part := range []string{
		"ladder 1: target_modules=[c_attn] alpha=8\nladder 2: target_modules=[c_attn] alpha=16\n2 modules of ",
		"ladder 3: target_modules=[c_attn, c_proj] alpha=8\nladder 4: target_modules=[c_attn, c_proj] alpha=16\n6 modules of ",
		"│ attn.c_attn │    0-1 │       2 │  64 │ 192 │",
		"│ mlp.c_proj  │    0-1 │       2 │ 256 │  64 │",
		"not targeted: mlp.c_fc of layers 0-1 (64 to 256)\n",
		"│    4 │                2 048 │",
		"│    4 │                5 632 │",
	} {
		if !strings.Contains(stdout, part) {
			t.Errorf("plan --targets lacks %q:\n%s", part, stdout)
		}
	}
	if strings.Contains(stdout, "transformer.h.1") {
		t.Error("plan --targets names every module without -v")
	}
	if _, all, _ := sweepCommand(t, "plan", s.path("grid.yaml"), "--targets", "-v"); !strings.Contains(all, "transformer.h.1.mlp.c_proj") {
		t.Errorf("plan --targets -v does not name every module:\n%s", all)
	}
}

// A cell that tunes the modules to adapt has a selection for each value; one that tunes anything else has one.
func TestPlanTargetsTuned(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ tune, has, lacks string }{
		"modules": {"target_modules", "ladder 1: target_modules=[c_attn]\n2 modules", "alpha"},
		"alpha":   {"alpha", "ladder 1: target_modules=[c_attn]\n2 modules", "alpha"},
	} {
		s := newTestSweep(t, "go", 10)
		s.edit("alpha: 8, dropout: 0.1, target_modules: [c_attn, c_proj]", "alpha: [8, 16], target_modules: [[c_attn], [c_attn, c_proj]]")
		s.edit("eval_steps: 5", "eval_steps: 5, tune: ["+tc.tune+"]")
		if tc.tune == "target_modules" {
			s.edit("alpha: [8, 16]", "alpha: 8")
		}
		code, stdout, stderr := sweepCommand(t, "plan", s.path("grid.yaml"), "--targets")
		if code != exitOK || !strings.Contains(stdout, tc.has) || !strings.Contains(stdout, "target_modules=[c_attn, c_proj]\n6 modules") ||
			strings.Contains(stdout, tc.lacks) {
			t.Errorf("tuned %s: exit %d, want %q and not %q\n%s%s", name, code, tc.has, tc.lacks, stdout, stderr)
		}
	}
}

func TestPlanTargetsJSONAndCSV(t *testing.T) {
	t.Parallel()
	s := newTestSweep(t, "go", 10)
	var got struct {
		Schema  string
		Ladders []struct {
			Modules []struct {
				Name    string
				In, Out int
			}
			Untargeted []struct{ Kind, Layers string }
			Rungs      []struct {
				Rank            int
				TrainableParams int64 `json:"trainable_params"`
				Share           float64
			}
		}
	}
	code, stdout, stderr := sweepCommand(t, "plan", s.path("grid.yaml"), "--targets", "-o", "json")
	if err := json.Unmarshal([]byte(stdout), &got); code != exitOK || err != nil {
		t.Fatalf("exit %d, %v: %s", code, err, stderr)
	}
	l := got.Ladders[0]
	if got.Schema != "sweep.targets/v1" || len(l.Modules) != 6 || l.Modules[0].Out != 192 || len(l.Untargeted) != 1 ||
		l.Untargeted[0].Layers != "0-1" {
		t.Errorf("plan --targets -o json = %+v", got)
	}
	if r := l.Rungs[2]; r.Rank != 4 || r.TrainableParams != 5632 || r.Share < 0.01 || r.Share > 0.1 {
		t.Errorf("rank 4 = %+v, want 5632 parameters", r)
	}
	_, rows, _ := sweepCommand(t, "plan", s.path("grid.yaml"), "--targets", "-o", "csv")
	if n := strings.Count(rows, "\n"); n != 1+3*6 || !strings.Contains(rows, ",4,transformer.h.0.attn.c_attn,attn.c_attn,64,192,1024\n") {
		t.Errorf("plan --targets -o csv has %d lines:\n%s", n, rows)
	}
}

// What trains beside LoRA counts, and the rows of the CSV add up to the parameters of each rank.
func TestPlanTargetsBesideLoRA(t *testing.T) {
	t.Parallel()
	s := newTestSweep(t, "go", 10)
	s.edit("target_modules: [c_attn, c_proj]", "target_modules: [c_attn, c_proj], bias: lora_only, use_dora: true, modules_to_save: [ln_f]")
	_, table, _ := sweepCommand(t, "plan", s.path("grid.yaml"), "--targets")
	if want := "also trained: 6 tensors (bias, 640 parameters); transformer.ln_f.weight, transformer.ln_f.bias (128 " +
		"parameters)\n"; !strings.Contains(table, want) {
		t.Errorf("plan --targets lacks %q:\n%s", want, table)
	}
	// Rank 4: 5632 of A and B, 640 magnitudes, 640 biases, 128 of the norm.
	if !strings.Contains(table, "│    4 │                7 040 │") {
		t.Errorf("rank 4 does not train 7040 parameters:\n%s", table)
	}
	_, rows, _ := sweepCommand(t, "plan", s.path("grid.yaml"), "--targets", "-o", "csv")
	sum := 0
	for line := range strings.Lines(rows) {
		fields := strings.Split(strings.TrimSpace(line), ",")
		if n, err := strconv.Atoi(fields[len(fields)-1]); err == nil && fields[len(fields)-6] == "4" {
			sum += n
		}
	}
	if sum != 7040 {
		t.Errorf("the rows of rank 4 add up to %d, want 7040:\n%s", sum, rows)
	}
}

func TestPlanTargetsThatMatchNothing(t *testing.T) {
	t.Parallel()
	s := newTestSweep(t, "go", 10)
	s.edit("[c_attn, c_proj]", "[q_proj]")
	code, stdout, stderr := sweepCommand(t, "plan", s.path("grid.yaml"), "--targets")
	if code != exitUsage || stdout != "" || !strings.Contains(stderr, "attn.c_attn, attn.c_proj, mlp.c_fc, mlp.c_proj") {
		t.Errorf("exit %d, stdout %q, stderr %q, want 2 and the modules there are", code, stdout, stderr)
	}
}

func TestSpans(t *testing.T) {
	t.Parallel()
	for want, numbers := range map[string][]int{"": nil, "3": {3}, "0-2, 4, 6-7": {0, 1, 2, 4, 6, 7}} {
		if got := spans(numbers); got != want {
			t.Errorf("spans(%v) = %q, want %q", numbers, got, want)
		}
	}
}

func TestTargetGroupText(t *testing.T) {
	t.Parallel()
	var modules []lora.Module
	for _, name := range []string{"h.0.a", "h.1.a", "h.1.b", "score"} {
		modules = append(modules, lora.Module{Name: "model." + name})
	}
	var got []string
	for _, g := range groupModules(modules) {
		got = append(got, g.text())
	}
	if want := []string{"a of layers 0-1", "b of layer 1", "model.score"}; !slices.Equal(got, want) {
		t.Errorf("groups = %q, want %q", got, want)
	}
}

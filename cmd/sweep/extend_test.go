package main

import (
	"strings"
	"testing"

	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/plateau"
	"github.com/ranksweep/ranksweep/trainer/backend"
)

// TestExtendRaisesTokens: a sweep that came to its end for limits.tokens goes on once the limit is raised.
func TestExtendRaisesTokens(t *testing.T) {
	t.Parallel()
	s := newTestSweep(t, backend.PlatformGo, 4)
	s.editGrid("seeds: [0, 1]", "seeds: [0, 1]\nlimits: {tokens: 200}")
	s.ends(exitOK, "", "run", s.path("grid.yaml"), "--backend", "go", "--jobs", "1")
	before := s.attempts()
	if snapshot, _ := s.snapshot(); sweep.Conclude(snapshot).Verdicts[0].State != plateau.StateTimeLimited || before == 0 || before >= 6 {
		t.Fatalf("with 200 tokens: %+v after %d attempts, want time_limited", sweep.Conclude(snapshot).Verdicts[0], before)
	}
	s.editGrid("tokens: 200", "tokens: 1000000")
	s.ends(exitOK, "", "extend", s.path("grid.yaml"), "--backend", "go")
	if snapshot, _ := s.snapshot(); sweep.Conclude(snapshot).Verdicts[0].State == plateau.StateTimeLimited || s.attempts() <= before {
		t.Errorf("with the limit raised: %+v after %d attempts", sweep.Conclude(snapshot).Verdicts[0], s.attempts())
	}
}

// TestExtendSaysWhatStandsInItsWay: run and extend agree on which edited grid extends a sweep, and both say what another one would change
// and what to do then.
func TestExtendSaysWhatStandsInItsWay(t *testing.T) {
	t.Parallel()
	s := newTestSweep(t, backend.PlatformGo, 2)
	s.finish()
	grid := s.path("grid.yaml")
	for _, c := range []struct{ from, to, says string }{
		{"steps: 2", "steps: 3", "its trials would be trained with other settings\n  train.steps was 2, is now 3\nto train other settings"},
		{"rank: [1, 2, 4]", "rank: [1, 4]", "rank 2 is gone\n  lora.rank was [1, 2, 4], is now [1, 4]\nto train other settings"},
		{"seeds: [0, 1]", "seeds: [0]", "seed 1 is gone\n  seeds was [0, 1], is now [0]\nto train other settings"},
	} {
		s.editGrid(c.from, c.to)
		s.ends(exitUsage, "cannot be extended by it: ladder 1: "+c.says, "extend", grid, "--backend", "go")
		s.ends(exitUsage, "it cannot extend that one: ladder 1", "run", grid, "--backend", "go")
		s.editGrid(c.to, c.from)
	}
	s.editGrid("rank: [1, 2, 4]", "rank: [1, 2, 4, 8]")
	s.ends(exitUsage, "add what is new with: sweep extend "+grid, "run", grid, "--backend", "go")
	s.editGrid("rank: [1, 2, 4, 8]", "rank: [1, 2, 4]")
	s.ends(exitOK, "nothing is new in "+grid, "extend", grid, "--backend", "go")

	r := s.start(s.sweep("rename", "test", "with space"))
	if code := r.wait(); code != exitUsage || strings.Contains(r.said.String(), "grid.yaml:") {
		t.Errorf("rename to a name that no grid may have: exit %d, said %s", code, r.said.String())
	}
	s.ends(exitOK, "removed ", "prune", "--yes")
	s.ends(exitOK, "there is nothing to remove", "prune", "--yes")

	writeRows(t, s.path("train.jsonl"), 41, 3)
	s.ends(exitUsage, "the text of "+s.path("train.jsonl")+" or "+s.path("validation.jsonl")+" has changed since the sweep was registered",
		"extend", grid, "--backend", "go")
}

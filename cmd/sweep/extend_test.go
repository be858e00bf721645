package main

import (
	"strings"
	"testing"
	"time"

	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/plateau"
	"github.com/ranksweep/ranksweep/trainer/backend"
)

// TestExtendRaisesTokens: a sweep that came to its end for limits.tokens goes on once the limit is raised.
func TestExtendRaisesTokens(t *testing.T) {
	t.Parallel()
	s := newTestSweep(t, backend.PlatformGo, 4)
	s.edit("seeds: [0, 1]", "seeds: [0, 1]\nlimits: {tokens: 200}")
	s.ends(exitOK, "", "run", s.path("grid.yaml"), "--backend", "go", "--jobs", "1")
	before := s.attempts()
	if snapshot, _ := s.snapshot(); sweep.Conclude(snapshot).Verdicts[0].State != plateau.StateTimeLimited || before == 0 || before >= 6 {
		t.Fatalf("with 200 tokens: %+v after %d attempts, want time_limited", sweep.Conclude(snapshot).Verdicts[0], before)
	}
	s.edit("tokens: 200", "tokens: 1000000")
	s.ends(exitOK, "", "extend", s.path("grid.yaml"), "--backend", "go")
	if snapshot, _ := s.snapshot(); sweep.Conclude(snapshot).Verdicts[0].State == plateau.StateTimeLimited || s.attempts() <= before {
		t.Errorf("with the limit raised: %+v after %d attempts", sweep.Conclude(snapshot).Verdicts[0], s.attempts())
	}
}

// TestExtendRaisesMemory: a trial that limits.memory ended is tried again once an edited grid raises it, and no verdict names the new limit
// for what the former one did.
func TestExtendRaisesMemory(t *testing.T) {
	t.Parallel()
	s := newTestSweep(t, backend.PlatformGo, 4)
	s.edit("seeds: [0, 1]", "seeds: [0, 1]\nlimits: {memory: 1MiB}")
	s.ends(exitOK, "", "run", s.path("grid.yaml"), "--backend", "go", "--jobs", "1")
	if snapshot, _ := s.snapshot(); sweep.Conclude(snapshot).Verdicts[0].State != plateau.StateMemoryLimited {
		t.Fatalf("with 1 MiB: %+v, want memory_limited", sweep.Conclude(snapshot).Verdicts[0])
	}
	s.edit("memory: 1MiB", "memory: 64GiB")
	s.ends(exitOK, "", "extend", s.path("grid.yaml"), "--backend", "go")
	snapshot, _ := s.snapshot()
	if v := sweep.Conclude(snapshot).Verdicts[0]; v.State == plateau.StateMemoryLimited || len(v.Rungs) != 3 {
		t.Errorf("with the limit raised: %+v, want a verdict over 3 ranks", v)
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
		s.edit(c.from, c.to)
		s.ends(exitUsage, "cannot be extended by it: ladder 1: "+c.says, "extend", grid, "--backend", "go")
		s.ends(exitUsage, "it cannot extend that one: ladder 1", "run", grid, "--backend", "go")
		s.edit(c.to, c.from)
	}
	s.edit("rank: [1, 2, 4]", "rank: [1, 2, 4, 8]")
	s.ends(exitUsage, "add what is new with: sweep extend "+grid, "run", grid, "--backend", "go")
	s.edit("rank: [1, 2, 4, 8]", "rank: [1, 2, 4]")
	s.ends(exitOK, "nothing is new in "+grid, "extend", grid, "--backend", "go")

	r := s.start(s.sweep("rename", "test", "with space"))
	if code := r.wait(); code != exitUsage || strings.Contains(r.said.String(), "grid.yaml:") {
		t.Errorf("rename to a name that no grid may have: exit %d, said %s", code, r.said.String())
	}
	s.ends(exitOK, "removed ", "prune", "--yes")
	s.ends(exitOK, "there is nothing to remove", "prune", "--yes")
	s.ends(exitNotFound, "was pruned: take another trial", "export", "test", "--rank", "1", "--to", s.path("adapter"))

	writeRows(t, s.path("train.jsonl"), 41, 3)
	s.ends(exitUsage, "the text of "+s.path("train.jsonl")+" or "+s.path("validation.jsonl")+" has changed since the sweep was registered",
		"extend", grid, "--backend", "go")
}

// TestExtendRaisesDisk: a sweep that waits for limits.disk goes on once an edited grid raises it: at once where its coordinator waits, and
// with the next one where there is none. Resumed as it was registered it waits again. plan says before where it will wait.
func TestExtendRaisesDisk(t *testing.T) {
	t.Parallel()
	for _, waiting := range []bool{true, false} {
		s := newTestSweep(t, backend.PlatformGo, 4)
		s.edit("seeds: [0, 1]", "seeds: [0, 1]\nlimits: {disk: 1MiB}")
		grid, reached := s.path("grid.yaml"), "limits.disk 1 MiB is reached at rank 1 of ladder 1"
		plan := func() string {
			out, err := s.sweep("plan", grid, "--backend", "go", "--jobs", "1").Output()
			if err != nil {
				t.Fatal(err)
			}
			return string(out)
		}
		if said := plan(); !strings.Contains(said, reached) || !strings.Contains(said, "the sweep waits there until somebody makes room") {
			t.Errorf("plan does not say that the sweep will wait:\n%s", said)
		}
		r := s.waits("run", grid)
		if !waiting {
			s.ends(exitOK, "", "cancel", "test")
			s.mustHaveWaited(r, exitInterrupted)
			r = s.waits("resume", "test")
			s.ends(exitOK, "", "cancel", "test")
			s.mustHaveWaited(r, exitInterrupted)
		}
		s.edit("disk: 1MiB", "disk: 1GiB")
		s.ends(exitUsage, "limits.disk was 1MiB, is now 1GiB\nadd what is new with: sweep extend", "run", grid, "--backend", "go")
		s.ends(exitOK, "is extended", "extend", grid, "--backend", "go")
		if waiting {
			s.mustHaveWaited(r, exitOK)
		}
		if snapshot, _ := s.snapshot(); !sweep.Conclude(snapshot).Done || s.attempts() != 6 {
			t.Errorf("with the limit raised: %d attempts, %+v", s.attempts(), sweep.Conclude(snapshot))
		}
		if said := plan(); strings.Contains(said, "limits.disk") {
			t.Errorf("plan still speaks of limits.disk:\n%s", said)
		}
	}
}

// waits starts a command that comes to a limit before the first trial, and returns once it must have seen that.
func (s *testSweep) waits(args ...string) *running {
	s.t.Helper()
	r := s.start(s.sweep(append(args, "--backend", "go", "--jobs", "1")...))
	until(s.t, "its coordinator", func() bool {
		out, err := s.sweep("status", "test").Output()
		snapshot, _ := s.snapshot()
		return err == nil && strings.Contains(string(out), "test: waiting") && len(snapshot.Ladders) > 0
	})
	for command, want := range map[string]string{
		"status test":         "nothing new starts for now: limits.disk is reached",
		"status test -o json": `"waits_for": "limits.disk is reached: `,
		"list -o json":        `"state": "waiting"`,
	} {
		if out, err := s.sweep(strings.Fields(command)...).Output(); err != nil || !strings.Contains(string(out), want) {
			s.t.Errorf("%v: sweep %s of a sweep that waits lacks %q:\n%s", err, command, want, out)
		}
	}
	time.Sleep(2 * time.Second)
	if n := s.attempts(); n != 0 {
		s.t.Errorf("%v: %d attempts", args, n)
	}
	return r
}

func (s *testSweep) mustHaveWaited(r *running, code int) {
	s.t.Helper()
	got, said := r.wait(), r.said.String()
	waited := strings.Contains(said, "waiting, what runs goes on: limits.disk is reached")
	if got != code || !waited || strings.Contains(said, "warning: waiting") {
		s.t.Errorf("%v: exit %d, want %d after it waited; it said %s", r.Args[1:], got, code, said)
	}
}

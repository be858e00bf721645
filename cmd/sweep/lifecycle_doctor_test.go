package main

import (
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/ranksweep/ranksweep/trainer/backend"
)

// TestRemoveASweepThatWasStopped: neither that a sweep was cancelled nor that it is paused counts as a change since rm asked.
func TestRemoveASweepThatWasStopped(t *testing.T) {
	t.Parallel()
	for _, stop := range []string{"cancel", "pause"} {
		t.Run(stop, func(t *testing.T) {
			t.Parallel()
			s := newTestSweep(t, backend.PlatformGo, 200)
			cmd := s.start(s.command())
			until(t, "the first steps", s.trains)
			s.ends(exitOK, "", stop, "test")
			if stop == "pause" {
				_ = cmd.Process.Signal(syscall.SIGTERM)
			}
			if code := cmd.wait(); code != exitInterrupted {
				t.Errorf("the run that was stopped: exit %d, said %s", code, cmd.said.String())
			}
			s.ends(exitOK, "sweep test is removed", "rm", "test", "--yes")
			s.ends(exitNotFound, "", "status", "test")
			if bad := badFindings(t, s.rootDir()); len(bad) > 0 {
				t.Errorf("after the removal: %+v", bad)
			}
		})
	}
}

// TestDoctorAfterEveryCommand: whatever a person asks of a sweep, its record in the trials' folders has it, and a sweep stays cancelled until
// somebody works on it.
func TestDoctorAfterEveryCommand(t *testing.T) {
	t.Parallel()
	s := newTestSweep(t, backend.PlatformGo, 60)
	s.edit("seeds: [0, 1]", "seeds: [0, 1]\nlimits: {memory: 1MiB}")
	name := "test"
	step := func(code int, says string, args ...string) {
		t.Helper()
		s.ends(code, says, args...)
		if bad := badFindings(t, s.rootDir()); len(bad) > 0 {
			t.Errorf("after %v: %+v", args, bad)
		}
	}
	stays := func(state string) {
		t.Helper()
		if out, err := s.sweep("status", name).CombinedOutput(); err != nil || !strings.Contains(string(out), name+": "+state) {
			t.Errorf("status, want %s: %v\n%s", state, err, out)
		}
	}
	grid := s.path("grid.yaml")
	step(exitOK, "", "run", grid, "--backend", "go")
	step(exitOK, "will be tried again", "retry", "--failed")
	step(exitOK, "is paused", "pause")
	step(exitOK, "was paused; it goes on", "resume", "--backend", "go")

	s.edit("memory: 1MiB", "memory: 64GiB")
	cmd := s.start(s.sweep("extend", grid, "--backend", "go", "--jobs", "2"))
	until(t, "the first steps", s.trains)
	step(exitOK, "is cancelled", "cancel")
	cmd.wait()
	step(exitUsage, "", "rename", "test", "with space")
	stays("cancelled")
	if err := os.Mkdir(s.path("runs", "locks", "removals.lock"), 0o700); err != nil {
		t.Fatal(err)
	}
	step(exitError, "remove sweep test", "rm", "test", "--yes")
	if err := os.Remove(s.path("runs", "locks", "removals.lock")); err != nil {
		t.Fatal(err)
	}
	stays("cancelled")
	name = "other"
	step(exitOK, "is now other", "rename", "test", name)
	stays("cancelled")
	s.loseDatabase()
	stays("cancelled")
	step(exitOK, "is paused", "pause")
	stays("paused")
	step(exitOK, "", "resume", "--backend", "go")
	step(exitOK, "", "prune", "--yes")
	step(exitOK, "is removed", "rm", name, "--yes")
}

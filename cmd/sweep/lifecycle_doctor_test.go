package main

import (
	"context"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ranksweep/ranksweep/store"
	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/trial"
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

// TestDoctorAfterEveryCommand: whatever a person asks of a sweep is in its record in the trials' folders, and a sweep stays cancelled until
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
	s.writes(func(ctx context.Context, db *store.DB) error { return db.Ask(ctx, 1, sweep.RequestPause, time.Now()) })
	const lacks = "sweep test: the database has a request (pause, resume, cancel or retry) that its record in the trials' folders lacks: " +
		"nothing is lost, but a database made anew of the folders would not have it"
	if bad := badFindings(t, s.rootDir()); len(bad) != 1 || bad[0].Detail != lacks {
		t.Errorf("doctor: %+v, want %q", bad, lacks)
	}
	step(exitOK, "", "doctor", "--repair", "--backend", "go")
	step(exitOK, "paused already", "pause")
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

// worked finds the sweeps that a coordinator works on.
func (s *testSweep) worked() []sweep.Info {
	s.t.Helper()
	db, err := store.OpenReadOnly(context.Background(), s.path("runs", "sweep.db"))
	if err != nil {
		s.t.Fatal(err)
	}
	defer db.Close() //nolint:errcheck // read only
	all, err := workedSweeps(context.Background(), db)
	if err != nil {
		s.t.Fatal(err)
	}
	return all
}

// TestWithoutNameTheSweepThatRuns: pause and cancel take the sweep that a coordinator works on though a later one lies still, ask where
// several are worked on, and take the latest where none is.
func TestWithoutNameTheSweepThatRuns(t *testing.T) {
	t.Parallel()
	s := newTestSweep(t, backend.PlatformGo, 2000)
	first := s.start(s.command())
	until(t, "the first steps", s.trains)
	s.edit("name: test", "name: other")
	s.edit("alpha: 8", "alpha: 4") // trials of its own
	other := s.start(s.command())
	until(t, "the other sweep", func() bool { return len(s.worked()) == 2 })
	for _, command := range []string{"pause", "cancel"} {
		s.ends(exitUsage, "sweeps test and other are worked on: name one: "+trial.Command(s.rootDir(), command, "NAME"), command)
	}
	s.ends(exitOK, "sweep other is cancelled", "cancel", "other")
	s.ends(exitOK, "sweep test is paused: what runs goes on to its end", "pause")
	s.ends(exitOK, "sweep test is cancelled", "cancel")
	if a, b := first.wait(), other.wait(); a != exitInterrupted || b != exitInterrupted {
		t.Errorf("the cancelled runs: exit %d and %d", a, b)
	}
	s.ends(exitOK, "sweep other was not cancelled: no coordinator works on it", "cancel")
}

// TestCancelBesideAnotherSweep: a sweep that is cancelled does not wait for trials that it shares with one that goes on.
func TestCancelBesideAnotherSweep(t *testing.T) {
	t.Parallel()
	s := newTestSweep(t, backend.PlatformGo, 40000)
	first := s.start(s.command())
	until(t, "the first steps", s.trains)
	s.edit("name: test", "name: other")
	other := s.start(s.command())
	until(t, "the other sweep", func() bool { return len(s.worked()) == 2 })
	s.ends(exitOK, "sweep other is cancelled", "cancel", "other")
	if t.Failed() {
		return // it would be waited for as long
	}
	if code := other.wait(); code != exitInterrupted {
		t.Errorf("the cancelled run: exit %d, said %s", code, other.said.String())
	}
	s.ends(exitOK, "nothing of it runs", "cancel", "other")
	s.ends(exitOK, "sweep other is removed", "rm", "other", "--yes")
	if s.livingWorkers() == 0 {
		t.Error("the workers of the sweep that runs were stopped")
	}
	s.ends(exitOK, "sweep test is cancelled", "cancel", "test")
	first.wait()
}

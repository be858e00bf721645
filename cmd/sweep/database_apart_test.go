package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ranksweep/ranksweep/trainer/backend"
)

// TestMoveToAnotherMachine: a root is worked on with a database on this machine. While its coordinator lives, another database, which sees
// the root by another path, is kept off; once it is dead the other one goes on from the folders: it adopts the workers, and nothing is
// trained twice.
func TestMoveToAnotherMachine(t *testing.T) {
	t.Parallel()
	whole := newTestSweep(t, backend.PlatformGo, 60)
	whole.finish()
	s := newTestSweep(t, backend.PlatformGo, 60)
	s.dir = whole.dir // the same inputs
	s.root, s.database = filepath.Join(t.TempDir(), "shared"), filepath.Join(t.TempDir(), "first")
	first := s.start(s.command())
	for began := time.Now(); !s.trains(); time.Sleep(10 * time.Millisecond) {
		if time.Since(began) > time.Minute {
			t.Fatalf("nothing trains: %s", first.said.String())
		}
	}
	other := *s
	other.database, other.root = filepath.Join(t.TempDir(), "second"), filepath.Join(t.TempDir(), "view")
	if err := os.Symlink(s.root, other.root); err != nil {
		t.Fatal(err)
	}
	out, err := other.sweep("resume", "test", "--backend", s.platform).CombinedOutput()
	if code := codeOf(err); code != exitLocked || !strings.Contains(string(out), "at work on") {
		t.Fatalf("a second database beside the first: exit %d, want %d: %s", code, exitLocked, out)
	}
	if err := first.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	first.wait()
	out, err = other.sweep("status", "test").CombinedOutput()
	if code := codeOf(err); code != exitNotFound || !strings.Contains(string(out), "resume") {
		t.Errorf("status on a machine that has no database yet: exit %d, want %d: %s", code, exitNotFound, out)
	}
	other.started = true
	if out, err := other.complete(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if got, want := other.report(), whole.report(); got != want {
		t.Errorf("report\n%s\nwant\n%s", got, want)
	}
	if n, want := other.attempts(), whole.attempts(); n != want {
		t.Errorf("%d attempts, want %d: the workers are adopted", n, want)
	}
	// The first database is out of date now: who reads it is told so, and who works on the root makes it anew.
	out, err = s.sweep("status", "test").CombinedOutput()
	if err != nil || !strings.Contains(string(out), "took over; bring it up to date") {
		t.Errorf("status by the first database: %v\n%s", err, out)
	}
	out, err = s.sweep("resume", "test", "--backend", s.platform, "-o", "json").CombinedOutput()
	if err != nil || !strings.Contains(string(out), "the database of before lies in") {
		t.Errorf("back on the first machine: %v\n%s", err, out)
	}
	if got, want := s.report(), whole.report(); got != want {
		t.Errorf("report of the first machine\n%s\nwant\n%s", got, want)
	}
	out, err = whole.sweep("list").CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	s.database = ""
	if out, err := s.sweep("list").CombinedOutput(); codeOf(err) != exitUsage || !strings.Contains(string(out), "--database") {
		t.Errorf("without --database: %v: %s", err, out)
	}
	whole.database = s.path("apart")
	if out, err := whole.sweep("resume").CombinedOutput(); codeOf(err) != exitUsage || !strings.Contains(string(out), "leave out --database") {
		t.Errorf("a database apart of a root that has one: %v: %s", err, out)
	}
}

// codeOf is the exit code of a command that was run.
func codeOf(err error) int {
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return exit.ExitCode()
	}
	return exitOK
}

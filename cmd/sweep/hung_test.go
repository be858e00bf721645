package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ranksweep/ranksweep/store"
	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/trial"
	"github.com/ranksweep/ranksweep/trainer/backend"
)

// TestStoppedWorkerIsReplaced: a worker that somebody stopped is killed, for it heeds nothing else, and its trial goes on elsewhere.
func TestStoppedWorkerIsReplaced(t *testing.T) {
	t.Parallel()
	whole, s := newTestSweep(t, backend.PlatformGo, 60), newTestSweep(t, backend.PlatformGo, 60)
	cmd := s.start(s.sweep("run", s.path("grid.yaml"), "--backend", "go", "--jobs", "2", "--hung-after", "5s"))
	until(t, "the first steps", s.trains)
	stopped := 0
	s.workers(func(pid int) {
		if stopped == 0 && syscall.Kill(pid, syscall.SIGSTOP) == nil {
			stopped = pid
		}
	})
	if code := cmd.wait(); code != exitOK {
		t.Fatalf("exit %d, said %s", code, cmd.said.String())
	}
	if err := syscall.Kill(stopped, 0); err == nil {
		t.Errorf("process %d is still there", stopped)
	}
	var hung []string
	snapshot, _ := s.snapshot()
	snapshot.Each(func(_ *sweep.Ladder, _ int, f *sweep.TrialFacts) {
		for _, a := range f.Attempts {
			if a.Outcome.State != trial.OutcomeDone {
				hung = append(hung, a.Outcome.Error)
			}
		}
	})
	if len(hung) != 1 || !strings.HasPrefix(hung[0], "it hung") {
		t.Errorf("attempts that did not end well: %q, want one that hung", hung)
	}
	whole.finish()
	if diff := cmp.Diff(whole.report(), s.report()); diff != "" {
		t.Errorf("report (-undisturbed +one worker stopped):\n%s", diff)
	}
}

// TestFinishedSweepEndsItsWorkers: a process that holds the lock of an attempt that is done, and heeds nothing, is killed by the next run,
// which ends.
func TestFinishedSweepEndsItsWorkers(t *testing.T) {
	t.Parallel()
	s := newTestSweep(t, backend.PlatformGo, 4)
	s.finish()
	logs, err := filepath.Glob(s.path("runs", "trials", "*", "*", trial.EventsFile))
	if err != nil || len(logs) == 0 {
		t.Fatalf("logs %v, %v", logs, err)
	}
	hung := exec.CommandContext(t.Context(), "sh", "-c",
		`exec 9>>"$0"; flock 9 || exit 1; trap "" TERM; while :; do sleep 1 9>&-; done`, logs[0])
	if err := hung.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- hung.Wait() }()
	if err := os.WriteFile(filepath.Join(filepath.Dir(logs[0]), trial.PIDFile), []byte(strconv.Itoa(hung.Process.Pid)), 0o600); err != nil {
		t.Fatal(err)
	}
	until(t, "the lock", func() bool { alive, err := trial.WorkerAlive(filepath.Dir(logs[0])); return alive && err == nil })
	s.ends(exitOK, "is done and has not ended", "run", s.path("grid.yaml"), "--backend", "go")
	select {
	case err := <-ended:
		if err == nil || err.Error() != "signal: killed" {
			t.Errorf("the process that hung: %v, want it killed", err)
		}
	case <-time.After(10 * time.Second):
		t.Error("the process that hung is still there")
	}
}

// TestFrozenCoordinatorWritesNothingMore: a coordinator that was stopped until another machine took its sweep over ends when it wakes
// up, and leaves files and workers as they are.
func TestFrozenCoordinatorWritesNothingMore(t *testing.T) {
	t.Parallel()
	whole, s := newTestSweep(t, backend.PlatformGo, 60), newTestSweep(t, backend.PlatformGo, 60)
	cmd := s.start(s.command())
	until(t, "both workers", func() bool { return s.livingWorkers() == 2 })
	if err := cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	until(t, "the workers' ends", func() bool { return s.livingWorkers() == 0 }) // an idle one's attempt has ended
	if err := os.RemoveAll(s.path("runs", "locks")); err != nil {                // another machine does not see them
		t.Fatal(err)
	}
	db, err := store.Open(t.Context(), s.path("runs", "sweep.db"))
	if err != nil {
		t.Fatal(err)
	}
	later := sweep.Instant{Wall: time.Now().Add(time.Hour)}
	session, err := db.StartSession(t.Context(), 1, later, sweep.Coordinator{Host: "elsewhere", PID: 1})
	if err != nil {
		t.Fatal(err)
	}
	before, attempts := files(t, s.path("runs", "trials")), s.attempts()
	if err := cmd.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	if code := cmd.wait(); code != exitLocked {
		t.Errorf("the woken coordinator ended with %d, want %d: %s", code, exitLocked, cmd.said.String())
	}
	if diff := cmp.Diff(before, files(t, s.path("runs", "trials"))); diff != "" || s.attempts() != attempts {
		t.Errorf("what the woken coordinator left (-before +after):\n%s", diff)
	}
	if err := db.EndSession(t.Context(), session, later); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	s.finish()
	whole.finish()
	if diff := cmp.Diff(whole.report(), s.report()); diff != "" {
		t.Errorf("report (-undisturbed +frozen):\n%s", diff)
	}
}

// TestLostSweepShowsBehindAnotherError: a coordinator that fails, and finds at its end that its sweep was taken over, says both and leaves
// the folders to their new owner.
func TestLostSweepShowsBehindAnotherError(t *testing.T) {
	t.Parallel()
	s := newTestSweep(t, backend.PlatformGo, 4)
	s.finish()
	records, err := filepath.Glob(s.path("runs", "trials", "*", "*", "sweep-*.json.gz"))
	if err != nil || len(records) == 0 {
		t.Fatalf("records %v, %v", records, err)
	}
	for _, path := range records {
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
	var said bytes.Buffer
	a := &app{root: s.rootDir(), stderr: &said, clock: sweep.NewClock()}
	full := errors.New("the disk is full")
	s.writes(func(ctx context.Context, lost *store.DB) error {
		session, err := lost.StartSession(ctx, 1, a.clock.Now(), sweep.Coordinator{Host: "here", PID: 1})
		if err != nil {
			return err
		}
		if err := os.RemoveAll(s.path("runs", "locks")); err != nil { // another machine does not see them
			return err
		}
		s.writes(func(ctx context.Context, db *store.DB) error {
			later := sweep.Instant{Wall: time.Now().Add(time.Hour)}
			_, err := db.StartSession(ctx, 1, later, sweep.Coordinator{Host: "elsewhere", PID: 1})
			return err
		})
		before := files(t, s.path("runs", "trials"))
		if err := a.leave(ctx, lost, 1, session, full); !errors.Is(err, full) || exitCode(a.ended(ctx, "test", err)) != exitLocked {
			t.Errorf("leave() = %v, want both what failed and that the sweep is another's", err)
		}
		if diff := cmp.Diff(before, files(t, s.path("runs", "trials"))); diff != "" {
			t.Errorf("what the loser left (-before +after):\n%s", diff)
		}
		return nil
	})
}

// files lists the files below a folder with their sizes.
func files(t *testing.T, dir string) map[string]int64 {
	t.Helper()
	sizes := map[string]int64{}
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		sizes[path] = info.Size()
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return sizes
}

// TestInterruptedBeforeItTrains: SIGTERM is heeded at any moment before the first step: a sweep that is registered can be resumed, and says
// so.
func TestInterruptedBeforeItTrains(t *testing.T) {
	t.Parallel()
	registered := 0
	for i := range 8 {
		s := newTestSweep(t, backend.PlatformGo, 60)
		cmd := s.start(s.command())
		if i%2 == 0 {
			until(t, "the sweep's row", s.registered)
		} else {
			time.Sleep(time.Duration(i) * 20 * time.Millisecond)
		}
		before, asked := s.registered(), time.Now()
		if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		code, took := cmd.wait(), time.Since(asked)
		const killed = -1 // as by default, before there is anything to resume
		if code != exitInterrupted && (before || code != killed) || took > 20*time.Second {
			t.Errorf("registered: %t; ended with %d after %v: %s", before, code, took, cmd.said.String())
		}
		if before {
			registered++
		}
	}
	if registered < 4 {
		t.Errorf("%d of 8 were registered, want at least 4", registered)
	}
}

package local_test

import (
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"

	"github.com/ranksweep/ranksweep/sweep/executor/local"
	"github.com/ranksweep/ranksweep/sweep/sweeptest"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

// reusing makes an executor's workers take further attempts.
func reusing(e *local.Executor) *local.Executor {
	e.Command = slices.Insert(slices.Clone(e.Command), 1, "LOCAL_TEST_REUSE=1")
	return e
}

// begin starts an attempt and returns the process that runs it.
func begin(t *testing.T, e *local.Executor, a trial.Assignment) (pid int) {
	t.Helper()
	if err := e.Start(t.Context(), a); err != nil {
		t.Fatal(err)
	}
	until(t, "started", func() bool {
		events, _ := e.Events(t.Context(), a.Attempt, 0)
		if len(events) > 0 {
			pid = events[0].Environment.PID
		}
		return pid != 0
	})
	return pid
}

func awaitEnd(t *testing.T, e *local.Executor, id trial.AttemptID) {
	t.Helper()
	until(t, "the end of "+string(id), func() bool { return !alive(t, e, id) })
}

// runs reports whether a process lives: a zombie, which its parent has not waited for, still answers.
func runs(pid int) bool { return syscall.Kill(pid, 0) == nil }

func TestIdleWorkerTakesTheNextAttempt(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	e := reusing(newExecutor(t, root, sweeptest.WorkerFinishes))
	first := begin(t, e, assignment("aa/1"))
	awaitEnd(t, e, "aa/1")
	if second := begin(t, e, assignment("bb/1")); second != first {
		t.Errorf("process %d runs the second attempt, %d ran the first", second, first)
	}
	awaitEnd(t, e, "bb/1")
	for _, id := range []trial.AttemptID{"aa/1", "bb/1"} {
		if said, err := os.ReadFile(filepath.Join(id.Dir(root), trial.StdoutFile)); err != nil || string(said) != "hello from the worker\n" {
			t.Errorf("stdout.log of %s = %q, %v", id, said, err)
		}
		if got := readSpec(t, root, id).Attempt; got != id {
			t.Errorf("spec.json of %s is that of %s", id, got)
		}
	}
	other := assignment("cc/1")
	other.Corpus.Path = "another"
	if third := begin(t, e, other); third == first {
		t.Error("a worker got an attempt of another kind")
	}
	until(t, "the end of the worker that nothing is left for", func() bool { return !runs(first) })
}

// TestWorkerDiesInItsSecondAttempt: it takes that attempt alone with it.
func TestWorkerDiesInItsSecondAttempt(t *testing.T) {
	t.Parallel()
	ctx, second := t.Context(), trial.AttemptID(waiting+"/1")
	e := reusing(newExecutor(t, t.TempDir(), sweeptest.WorkerFinishes))
	first := begin(t, e, assignment("aa/1"))
	awaitEnd(t, e, "aa/1")
	if begin(t, e, assignment(second)) != first {
		t.Fatal("the worker was not used again")
	}
	if err := e.Stop(ctx, "aa/1", true); err != nil {
		t.Fatal(err)
	}
	if !alive(t, e, second) {
		t.Fatal("stopping an attempt that is over hit the next one")
	}
	if err := e.Stop(ctx, second, true); err != nil {
		t.Fatal(err)
	}
	until(t, "its exit", func() bool { p, _ := e.Probe(ctx, second); return p.Exit == "signal: killed" && !p.Alive })
	if p, err := e.Probe(ctx, "aa/1"); err != nil || p.Exit != "" {
		t.Errorf("Probe of the first attempt = %+v, %v: the exit was the second's", p, err)
	}
	if begin(t, e, assignment("bb/1")) == first {
		t.Error("a dead worker runs an attempt")
	}
	awaitEnd(t, e, "bb/1")
}

// TestStoppedWorkerIsNotUsedAgain: only after an attempt that is done.
func TestStoppedWorkerIsNotUsedAgain(t *testing.T) {
	t.Parallel()
	first := trial.AttemptID(waiting + "/1")
	e := reusing(newExecutor(t, t.TempDir(), sweeptest.WorkerFinishes))
	pid := begin(t, e, assignment(first))
	if err := e.Stop(t.Context(), first, false); err != nil {
		t.Fatal(err)
	}
	awaitEnd(t, e, first)
	if begin(t, e, assignment("aa/1")) == pid {
		t.Error("it was")
	}
	awaitEnd(t, e, "aa/1")
}

// TestIdleWorkerThatIsKilled: the attempt that was to be its next gets a process of its own.
func TestIdleWorkerThatIsKilled(t *testing.T) {
	t.Parallel()
	e := reusing(newExecutor(t, t.TempDir(), sweeptest.WorkerFinishes))
	first := begin(t, e, assignment("aa/1"))
	awaitEnd(t, e, "aa/1")
	if err := syscall.Kill(first, syscall.SIGSTOP); err != nil { // it is there, and does not answer
		t.Fatal(err)
	}
	if begin(t, e, assignment("bb/1")) == first {
		t.Error("a stopped process runs an attempt")
	}
	awaitEnd(t, e, "bb/1")
	if p, err := e.Probe(t.Context(), "bb/1"); err != nil || p.Exit == "signal: killed" {
		t.Errorf("Probe = %+v, %v: the first process's exit", p, err)
	}
	until(t, "the stopped process's end", func() bool { return !runs(first) })
}

// TestIdleWorkersGoWhereMemoryIsShort: a process of another kind leaves them alone only where there is plenty beside what it needs.
func TestIdleWorkersGoWhereMemoryIsShort(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		memory, needs int64
		stays         bool
	}{{1 << 50, 1 << 30, true}, {1 << 50, 1 << 48, false}, {1 << 50, 0, false}, {1 << 20, 1 << 10, false}} {
		e := reusing(newExecutor(t, t.TempDir(), sweeptest.WorkerFinishes))
		core := local.Cores()[:1]
		e.Slots, e.HostBytes = [][]int{core, core}, tt.memory
		first := begin(t, e, assignment("aa/1"))
		awaitEnd(t, e, "aa/1")
		other := assignment("bb/1")
		other.Corpus.Path = "another"
		if tt.needs > 0 {
			other.Calibration = &trial.Calibration{PeakBytes: tt.needs}
		}
		begin(t, e, other)
		awaitEnd(t, e, "bb/1")
		if used := begin(t, e, assignment("cc/1")) == first; used != tt.stays {
			t.Errorf("with %d bytes, and %d for the next: the idle worker is used again: %v", tt.memory, tt.needs, used)
		}
		awaitEnd(t, e, "cc/1")
	}
}

// TestCloseEndsIdleWorkers: what kept them for further attempts has none.
func TestCloseEndsIdleWorkers(t *testing.T) {
	t.Parallel()
	e := reusing(newExecutor(t, t.TempDir(), sweeptest.WorkerFinishes))
	pid := begin(t, e, assignment("aa/1"))
	awaitEnd(t, e, "aa/1")
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	if runs(pid) {
		t.Error("an idle worker outlives Close")
	}
}

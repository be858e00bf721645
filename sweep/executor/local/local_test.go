package local_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/executor/local"
	"github.com/ranksweep/ranksweep/sweep/sweeptest"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

// TestMain lets the test binary play the worker: started with a script in its arguments, it emits events as told.
func TestMain(m *testing.M) {
	if script := os.Getenv("LOCAL_TEST_WORKER"); script != "" {
		if err := worker(script, os.Args[len(os.Args)-1]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// worker does what the script says, and, where the test wants that, takes further attempts once one is done.
func worker(script, dir string) error {
	asked := make(chan os.Signal, 1)
	signal.Notify(asked, syscall.SIGTERM)
	reuse := os.Getenv("LOCAL_TEST_REUSE") != ""
	var coordinator local.Coordinator
	if reuse {
		var err error
		if coordinator, err = local.OpenCoordinator(4); err != nil {
			return err
		}
	}
	events := os.NewFile(3, filepath.Join(dir, trial.EventsFile))
	for {
		done, err := attempt(script, dir, events, asked)
		if err != nil || !done || !reuse {
			return err
		}
		var ok bool
		if dir, events, ok, err = coordinator.Next(context.Background(), events); err != nil || !ok {
			return err
		}
	}
}

// workerKilled is the script of a worker that somebody kills.
const workerKilled = "killed"

// waiting begins the ids of trials that wait whatever the script says.
const waiting = "wait"

// attempt emits started, then does what the script says.
func attempt(script, dir string, events *os.File, asked chan os.Signal) (done bool, err error) {
	if err := os.WriteFile(filepath.Join(dir, trial.PIDFile), []byte(strconv.Itoa(os.Getpid())), 0o600); err != nil {
		return false, err
	}
	log, err := trial.NewEventLog(events)
	if err != nil {
		return false, err
	}
	fmt.Println("hello from the worker")
	started := trial.Event{Kind: trial.EventStarted, Environment: &trial.Environment{PID: os.Getpid(), Cores: local.Cores()}}
	if err := log.Emit(started); err != nil {
		return false, err
	}
	outcome := trial.Outcome{State: trial.OutcomeDone}
	if strings.HasPrefix(filepath.Base(filepath.Dir(dir)), waiting) {
		script = sweeptest.WorkerWaits
	}
	switch script {
	case sweeptest.WorkerDies:
		return false, errors.New("no more words")
	case workerKilled:
		return false, syscall.Kill(os.Getpid(), syscall.SIGKILL)
	case sweeptest.WorkerWaits:
		<-asked
		outcome.State = trial.OutcomeInterrupted
	}
	return outcome.State == trial.OutcomeDone, log.Emit(trial.Event{Kind: trial.EventEnded, Outcome: &outcome})
}

func newExecutor(t *testing.T, root, script string) *local.Executor {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return &local.Executor{Root: root, Command: []string{"/usr/bin/env", "LOCAL_TEST_WORKER=" + script, self}}
}

func assignment(id trial.AttemptID) trial.Assignment {
	tr, _, _ := strings.Cut(string(id), "/")
	return trial.Assignment{Attempt: id, Trial: trial.Trial{ID: trial.ID(tr)}, Platform: "go"}
}

// until polls until done or the test has waited far longer than a healthy machine needs.
func until(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if done() {
			return
		}
	}
	t.Fatalf("waited in vain for %s", what)
}

func alive(t *testing.T, e *local.Executor, id trial.AttemptID) bool {
	t.Helper()
	p, err := e.Probe(context.Background(), id)
	if err != nil {
		t.Fatal(err)
	}
	return p.Alive
}

func TestFolderHoldsSpecAndLogs(t *testing.T) {
	t.Parallel()
	ctx, root, id := t.Context(), t.TempDir(), trial.AttemptID("aa/1")
	e := newExecutor(t, root, sweeptest.WorkerFinishes)
	want := assignment(id)
	if err := e.Start(ctx, want); err != nil {
		t.Fatal(err)
	}
	until(t, "the worker's end", func() bool { p, _ := e.Probe(ctx, id); return p.Exit != "" })
	if diff := cmp.Diff(want, readSpec(t, root, id)); diff != "" {
		t.Errorf("spec.json (-want +got):\n%s", diff)
	}
	if out, err := os.ReadFile(filepath.Join(id.Dir(root), trial.StdoutFile)); err != nil || string(out) != "hello from the worker\n" {
		t.Errorf("stdout.log = %q, %v", out, err)
	}
	if err := e.Start(ctx, want); err == nil {
		t.Error("an attempt that has run was started again")
	}
}

func TestExecutor(t *testing.T) {
	t.Parallel()
	sweeptest.ExerciseExecutor(t, func(t *testing.T, root, worker string) sweep.Executor {
		t.Helper()
		return newExecutor(t, root, worker)
	})
}

func TestFaults(t *testing.T) {
	t.Parallel()
	sweeptest.ExerciseFaults(t, func(t *testing.T, root, _ string, _ sweeptest.Fault) sweep.Executor {
		t.Helper()
		return newExecutor(t, root, workerKilled)
	}, sweeptest.Cancelled)
}

// TestExecutorThatReusesWorkers: for its callers nothing changes.
func TestExecutorThatReusesWorkers(t *testing.T) {
	t.Parallel()
	sweeptest.ExerciseExecutor(t, func(t *testing.T, root, worker string) sweep.Executor {
		t.Helper()
		return reusing(newExecutor(t, root, worker))
	})
}

func TestKilledWorkerIsDead(t *testing.T) {
	t.Parallel()
	ctx, root, id := t.Context(), t.TempDir(), trial.AttemptID("cc/1")
	e := newExecutor(t, root, sweeptest.WorkerWaits)
	if err := e.Start(ctx, assignment(id)); err != nil {
		t.Fatal(err)
	}
	if err := e.Stop(ctx, id, true); err != nil {
		t.Fatal(err)
	}
	until(t, "its exit", func() bool { p, _ := e.Probe(ctx, id); return p.Exit == "signal: killed" && !p.Alive })
}

// TestFolderIsRemoved: a worker whose folder somebody removes shows no lock any more. It ends, whether it says anything or not.
func TestFolderIsRemoved(t *testing.T) {
	t.Parallel()
	root, id := t.TempDir(), trial.AttemptID("aa/1")
	e := newExecutor(t, root, sweeptest.WorkerWaits)
	if err := e.Start(t.Context(), assignment(id)); err != nil {
		t.Fatal(err)
	}
	pid := 0
	until(t, "the worker", func() bool {
		text, err := os.ReadFile(filepath.Join(id.Dir(root), trial.PIDFile))
		if err == nil {
			pid, err = strconv.Atoi(string(text))
		}
		return err == nil
	})
	if err := os.RemoveAll(id.Trial().Dir(root)); err != nil {
		t.Fatal(err)
	}
	if alive(t, e, id) {
		t.Error("a worker without a folder counts as alive")
	}
	until(t, "its end", func() bool { return errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) })

	dir := t.TempDir()
	events, err := trial.LockEvents(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer events.Close() //nolint:errcheck // a test's file
	log, err := trial.NewEventLog(events)
	if err == nil {
		err = errors.Join(log.Emit(trial.Event{Kind: trial.EventCheckpoint}), os.RemoveAll(dir))
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := log.Emit(trial.Event{Kind: trial.EventCheckpoint}); err == nil || !strings.Contains(err.Error(), "folder was removed") {
		t.Errorf("Emit into a removed folder = %v", err)
	}
}

func TestWorkerThatFailsLeavesItsReason(t *testing.T) {
	t.Parallel()
	ctx, root, id := t.Context(), t.TempDir(), trial.AttemptID("dd/1")
	e := newExecutor(t, root, sweeptest.WorkerDies)
	if err := e.Start(ctx, assignment(id)); err != nil {
		t.Fatal(err)
	}
	until(t, "its exit", func() bool { p, _ := e.Probe(ctx, id); return p.Exit == "exit status 1" })
	if said, err := os.ReadFile(filepath.Join(id.Dir(root), trial.StderrFile)); err != nil || string(said) != "no more words\n" {
		t.Errorf("stderr.log = %q, %v", said, err)
	}
}

func readSpec(t *testing.T, root string, id trial.AttemptID) trial.Assignment {
	t.Helper()
	a, err := trial.ReadAssignment(id.Dir(root))
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestSlotsArePinnedAndReused(t *testing.T) {
	t.Parallel()
	cores := local.Cores()
	if len(cores) < 2 {
		t.Skip("one core: nothing to divide")
	}
	ctx, root := t.Context(), t.TempDir()
	e := newExecutor(t, root, sweeptest.WorkerWaits)
	e.Slots = local.Slots(cores, len(cores))
	coresOf := func(id trial.AttemptID) []int {
		t.Helper()
		var got []trial.Event
		until(t, "started", func() bool { got, _ = e.Events(ctx, id, 0); return len(got) > 0 })
		return got[0].Environment.Cores
	}
	e.Devices = 2
	for i, id := range []trial.AttemptID{"ee/1", "ff/1"} {
		if err := e.Start(ctx, assignment(id)); err != nil {
			t.Fatal(err)
		}
		if got := readSpec(t, root, id).Device; got != i {
			t.Errorf("attempt %s has device %d, want %d", id, got, i)
		}
		if diff := cmp.Diff(e.Slots[i], coresOf(id)); diff != "" {
			t.Errorf("attempt %s runs on other cores (-want +got): %s", id, diff)
		}
	}
	stop := func(id trial.AttemptID) {
		t.Helper()
		if err := e.Stop(ctx, id, false); err != nil {
			t.Fatal(err)
		}
		until(t, "the worker's end", func() bool { return !alive(t, e, id) })
	}
	stop("ee/1")
	if err := e.Start(ctx, assignment("gg/1")); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(e.Slots[0], coresOf("gg/1")); diff != "" {
		t.Errorf("the freed slot was not used again: %s", diff)
	}
	stop("ff/1")
	stop("gg/1")
}

// TestSlotsShareDevices has four jobs on two GPUs: a new one goes to the GPU with fewer, also under another coordinator.
func TestSlotsShareDevices(t *testing.T) {
	t.Parallel()
	ctx, root := t.Context(), t.TempDir()
	start := func(e *local.Executor, id trial.AttemptID, device int) {
		t.Helper()
		if err := e.Start(ctx, assignment(id)); err != nil {
			t.Fatal(err)
		}
		until(t, "started", func() bool { got, _ := e.Events(ctx, id, 0); return len(got) > 0 })
		if got := readSpec(t, root, id).Device; got != device {
			t.Errorf("attempt %s has device %d, want %d", id, got, device)
		}
	}
	stop := func(e *local.Executor, id trial.AttemptID) {
		t.Helper()
		if err := e.Stop(ctx, id, false); err != nil {
			t.Fatal(err)
		}
		until(t, "the worker's end", func() bool { return !alive(t, e, id) })
	}
	open := func() *local.Executor {
		e := newExecutor(t, root, sweeptest.WorkerWaits)
		e.Slots, e.Devices = local.Slots(local.Cores(), 4), 2
		return e
	}
	e := open()
	for i, id := range []trial.AttemptID{"ee/1", "ff/1", "gg/1", "hh/1"} {
		start(e, id, i%2)
	}
	for _, id := range []trial.AttemptID{"ee/1", "ff/1", "hh/1"} {
		stop(e, id)
	}
	start(e, "ii/1", 1) // the first free slot would be on the GPU that gg has
	next := open()
	for _, id := range []trial.AttemptID{"gg/1", "ii/1"} {
		if !alive(t, next, id) {
			t.Fatalf("attempt %s is gone", id)
		}
	}
	stop(next, "gg/1")
	start(next, "jj/1", 0)
	stop(next, "ii/1")
	stop(next, "jj/1")
}

func TestSlotsDivideCores(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		cores []int
		jobs  int
		want  [][]int
	}{
		{[]int{0, 1}, 1, [][]int{{0, 1}}},
		{[]int{0, 1}, 2, [][]int{{0}, {1}}},
		{[]int{4, 5, 6, 7, 8}, 2, [][]int{{4, 5}, {6, 7, 8}}},
		{[]int{0, 1}, 3, [][]int{{0}, {1}, {0}}},
	} {
		if diff := cmp.Diff(test.want, local.Slots(test.cores, test.jobs)); diff != "" {
			t.Errorf("Slots(%v, %d): %s", test.cores, test.jobs, diff)
		}
	}
}

func TestTornLineIsCutOff(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	whole, err := trial.Event{Seq: 1, Kind: trial.EventCheckpoint, Step: 5}.MarshalLine()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, trial.EventsFile)
	if err := os.WriteFile(path, append(whole, `{"seq":2,"ki`...), 0o600); err != nil {
		t.Fatal(err)
	}
	events, offset, err := trial.ReadEvents(path, 0)
	if err != nil || len(events) != 1 || offset != int64(len(whole)) {
		t.Fatalf("ReadEvents of a torn file = %v, %d, %v", events, offset, err)
	}
	f, err := trial.LockEvents(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close() //nolint:errcheck // a test's file
	log, err := trial.NewEventLog(f)
	if err != nil {
		t.Fatal(err)
	}
	if err := log.Emit(trial.Event{Kind: trial.EventEnded, Outcome: &trial.Outcome{State: trial.OutcomeDone}}); err != nil {
		t.Fatal(err)
	}
	events, _, err = trial.ReadEvents(path, 0)
	if err != nil || len(events) != 2 || events[1].Seq != 2 {
		t.Errorf("after the cut: %v, %v", events, err)
	}
}

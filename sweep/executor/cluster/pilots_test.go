package cluster_test

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/executor/cluster"
	"github.com/ranksweep/ranksweep/sweep/executor/cluster/clustertest"
	"github.com/ranksweep/ranksweep/sweep/sweeptest"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

// shellQueue is a queue of this machine's: it has a shell run what a queue would, at once, and each job in a process group of its own.
type shellQueue struct {
	t *testing.T

	mu      sync.Mutex
	jobs    map[cluster.JobID]*exec.Cmd
	over    map[cluster.JobID]cluster.Job
	refuse  string // why it takes no job; empty: it does
	names   []string
	running sync.WaitGroup
}

func newShellQueue(t *testing.T) *shellQueue {
	t.Helper()
	t.TempDir() // the folders are removed after the processes that use them
	q := &shellQueue{t: t, jobs: map[cluster.JobID]*exec.Cmd{}, over: map[cluster.JobID]cluster.Job{}}
	t.Cleanup(func() {
		q.mu.Lock()
		for _, cmd := range q.jobs {
			_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		}
		q.mu.Unlock()
		q.running.Wait()
	})
	return q
}

func (q *shellQueue) Most(context.Context) (int, error) { return 1, nil }

func (q *shellQueue) Submit(_ context.Context, b cluster.Batch) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.refuse != "" {
		return &cluster.RefusedError{Reason: q.refuse}
	}
	q.names = append(q.names, b.Name)
	for i := range b.Dirs {
		id := cluster.JobID{Batch: b.Name, Index: i}
		cmd := exec.Command("bash", "-c", cluster.Entry(b.Folder, strconv.Itoa(i)))
		cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		cmd.Stderr = os.Stderr
		if err := cmd.Start(); err != nil {
			return err
		}
		q.jobs[id] = cmd
		q.running.Go(func() {
			_ = cmd.Wait()
			q.mu.Lock()
			defer q.mu.Unlock()
			delete(q.jobs, id)
			q.over[id] = cluster.Job{Phase: cluster.Ended, Exit: cmd.ProcessState.String()}
		})
	}
	return nil
}

func (q *shellQueue) Jobs(context.Context, []string) (map[cluster.JobID]cluster.Job, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	jobs := maps.Clone(q.over)
	for id := range q.jobs {
		jobs[id] = cluster.Job{Phase: cluster.Running}
	}
	return jobs, nil
}

func (q *shellQueue) Stop(_ context.Context, id cluster.JobID, kill bool) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if cmd, ok := q.jobs[id]; ok && kill {
		return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
	}
	return nil
}

// submitted are the batches that the queue has taken.
func (q *shellQueue) submitted() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.names)
}

// crew are pilots and the executor whose jobs they train.
type crew struct {
	*cluster.Executor
	pilots *cluster.Pilots
}

// newCrew returns pilots whose attempts do what the script says.
func newCrew(t *testing.T, q cluster.Queue, root, script string) crew {
	t.Helper()
	pilots := &cluster.Pilots{
		Queue: q, Root: root, Script: cluster.Script{Command: clustertest.Command(t, script)}, Crew: 2,
		Idle: 2 * time.Second, Late: 6 * time.Second,
		Clock: sweep.NewClock(), Log: slog.New(slog.DiscardHandler),
	}
	return crew{&cluster.Executor{
		Root: root, Queue: pilots, Script: pilots.Script, Late: pilots.Late, Clock: pilots.Clock, Log: pilots.Log,
	}, pilots}
}

// flight plays a pilot: its attempts do what the script says.
func flight(script, dir string) error {
	p, err := cluster.OpenPilot(dir)
	if err != nil {
		return err
	}
	defer p.Close() //nolint:errcheck // of a test
	ctx, cancel := cluster.UntilAsked(context.Background(), dir)
	defer cancel()
	var last trial.Assignment
	for {
		a, ok, err := p.Next(ctx, last)
		if err != nil || !ok {
			return err
		}
		process := sweep.Process{}
		if err := clustertest.Work(ctx, script, a.Attempt.Dir(p.Root())); err != nil {
			fmt.Fprintln(os.Stderr, err)
			process.Exit = "exit status 1"
		}
		if err := p.Ended(a.Attempt, process, time.Second); err != nil {
			return err
		}
		last = a
	}
}

// TestPilotsConform: attempts that pilots train are started, found again, stopped and killed as any other.
func TestPilotsConform(t *testing.T) {
	t.Parallel()
	sweeptest.ExerciseExecutor(t, func(t *testing.T, root, worker string) sweep.Executor {
		t.Helper()
		return newCrew(t, queueOf(t, root), root, worker)
	})
}

// queues are those of roots: a successor asks the same one.
var queues sync.Map //nolint:gochecknoglobals // of tests alone

func queueOf(t *testing.T, root string) *shellQueue {
	t.Helper()
	q, _ := queues.LoadOrStore(root, newShellQueue(t))
	return q.(*shellQueue)
}

func assignment(number int) trial.Assignment {
	return trial.Assignment{Attempt: trial.NewAttemptID("t", number), Trial: trial.Trial{ID: "t"}, Platform: "go"}
}

// await probes all attempts until none lives.
func await(t *testing.T, e sweep.Executor, ids ...trial.AttemptID) map[trial.AttemptID]sweep.Process {
	t.Helper()
	over := map[trial.AttemptID]sweep.Process{}
	for deadline := time.Now().Add(time.Minute); len(over) < len(ids); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d of %d attempts are over", len(over), len(ids))
		}
		for _, id := range ids {
			if _, done := over[id]; done {
				continue
			}
			process, err := e.Probe(context.Background(), id)
			if err != nil {
				t.Fatal(err)
			}
			if !process.Alive {
				over[id] = process
			}
		}
	}
	return over
}

func TestPilotsTrainManyInFewJobs(t *testing.T) {
	t.Parallel()
	q := newShellQueue(t)
	e := newCrew(t, q, t.TempDir(), sweeptest.WorkerFinishes)
	var ids []trial.AttemptID
	for i := range 12 {
		a := assignment(i + 1)
		if err := e.Start(context.Background(), a); err != nil {
			t.Fatal(err)
		}
		ids = append(ids, a.Attempt)
	}
	for id, process := range await(t, e, ids...) {
		if d := cmp.Diff(sweep.Process{Exit: "exit status 0"}, process); d != "" {
			t.Errorf("%s (-want +got):\n%s", id, d)
		}
	}
	if n := q.submitted(); n != 2 {
		t.Errorf("%d jobs trained 12 attempts, want 2, as many as may run", n)
	}
	if err := e.pilots.Close(); err != nil {
		t.Error(err)
	}
	q.running.Wait() // far less than a minute: they were told
}

func TestPilotsAskForTheMemoryThatAnAttemptNeeds(t *testing.T) {
	t.Parallel()
	q := newShellQueue(t)
	e := newCrew(t, q, t.TempDir(), sweeptest.WorkerFinishes)
	e.pilots.Idle = 20 * time.Second
	e.Ask = func(a trial.Assignment) cluster.Request {
		return cluster.Request{Memory: int64(a.Attempt.Number()) << 30}
	}
	for i := range 2 { // the second needs more than the first one's pilot has
		a := assignment(i + 1)
		if err := e.Start(context.Background(), a); err != nil {
			t.Fatal(err)
		}
		await(t, e, a.Attempt)
	}
	if n := q.submitted(); n != 2 {
		t.Errorf("%d pilots, want a second one with more memory", n)
	}
}

func TestPilotsThatAreRefusedEndAnAttempt(t *testing.T) {
	t.Parallel()
	q := newShellQueue(t)
	q.refuse = "invalid account"
	e := newCrew(t, q, t.TempDir(), sweeptest.WorkerFinishes)
	a := assignment(1)
	if err := e.Start(context.Background(), a); err != nil {
		t.Fatal(err)
	}
	await(t, e, a.Attempt)
	events, err := e.Events(context.Background(), a.Attempt, 0)
	if err != nil || len(events) != 1 || !strings.Contains(events[0].Outcome.Error, "invalid account") {
		t.Errorf("an attempt that no queue takes ends with %+v, error %v, want the reason", events, err)
	}
}

func TestPilotsLeaveAnAttemptThatWasStopped(t *testing.T) {
	t.Parallel()
	e := newCrew(t, newShellQueue(t), t.TempDir(), sweeptest.WorkerWaits)
	e.pilots.Crew = 1
	ctx := context.Background()
	for i := range 2 {
		if err := e.Start(ctx, assignment(i+1)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := e.Probe(ctx, "t/2"); err != nil { // it is in the inbox
		t.Fatal(err)
	}
	if err := e.Stop(ctx, "t/2", false); err != nil {
		t.Fatal(err)
	}
	if process, err := e.Probe(ctx, "t/2"); err != nil || process.Alive {
		t.Errorf("an attempt that was stopped before a pilot had it is %+v, error %v", process, err)
	}
	left, err := filepath.Glob(filepath.Join(e.Root, "pilots", "inbox", "*,2,*"))
	if err != nil || len(left) > 0 {
		t.Errorf("the inbox holds %q, error %v", left, err)
	}
	if err := e.Stop(ctx, "t/1", false); err != nil {
		t.Fatal(err)
	}
	await(t, e, "t/1")
}

// TestPilotsTellOfACrash: a pilot that dies takes the attempt along that it trained, and what waits goes to another.
func TestPilotsTellOfACrash(t *testing.T) {
	t.Parallel()
	q := newShellQueue(t)
	e := newCrew(t, q, t.TempDir(), sweeptest.WorkerWaits)
	e.pilots.Crew = 1
	ctx := context.Background()
	for i := range 2 {
		if err := e.Start(ctx, assignment(i+1)); err != nil {
			t.Fatal(err)
		}
	}
	first, second := trial.AttemptID("t/1"), trial.AttemptID("t/2")
	started := func(id trial.AttemptID) bool {
		for _, each := range []trial.AttemptID{first, second} {
			if _, err := e.Probe(ctx, each); err != nil {
				t.Fatal(err)
			}
		}
		events, err := e.Events(ctx, id, 0)
		return err == nil && len(events) > 0
	}
	for deadline := time.Now().Add(time.Minute); !started(first); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the first attempt does not start")
		}
	}
	if err := e.Stop(ctx, first, true); err != nil {
		t.Fatal(err)
	}
	process := await(t, e, first)[first]
	if process.Exit != "signal: killed" {
		t.Errorf("the attempt whose pilot was killed is %+v", process)
	}
	for deadline := time.Now().Add(time.Minute); !started(second); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the second attempt does not start")
		}
	}
	if err := e.Stop(ctx, second, false); err != nil {
		t.Fatal(err)
	}
	await(t, e, second)
}

package cluster_test

import (
	"context"
	"errors"
	"log/slog"
	"os/exec"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/executor/cluster"
	"github.com/ranksweep/ranksweep/sweep/executor/cluster/clustertest"
	"github.com/ranksweep/ranksweep/sweep/sweeptest"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

// fastClock passes so many times as fast as others: the minutes that files may take to appear are seconds in a test.
type fastClock struct{ sweep.Clock }

const fast = 20

func (c fastClock) Now() sweep.Instant {
	now := c.Clock.Now()
	now.Uptime *= fast
	return now
}

// processQueue is a cluster of one machine: its jobs are processes that run their scripts. A fault befalls all of them.
type processQueue struct {
	t     *testing.T
	fault sweeptest.Fault

	mu      sync.Mutex
	jobs    map[cluster.JobID]*processJob
	submits int
	answers int
}

type processJob struct {
	cluster.Job
	cmd *exec.Cmd // nil of one that never runs
	dir string
}

func (q *processQueue) Most(context.Context) (int, error) { return 4, nil }

var errNoAnswer = errors.New("no answer")

func (q *processQueue) Submit(_ context.Context, b cluster.Batch) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.submits++
	switch {
	case q.fault == sweeptest.Refused:
		return &cluster.RefusedError{Reason: "Requested node configuration is not available"}
	case q.fault == sweeptest.LostRequest && q.submits == 1:
		return errNoAnswer
	case q.fault == sweeptest.TakenTwice:
		q.run(b)
	}
	q.run(b)
	if q.fault == sweeptest.LostReply {
		return errNoAnswer
	}
	return nil
}

// run starts the jobs of a batch. mu is held.
func (q *processQueue) run(b cluster.Batch) {
	for i, dir := range b.Dirs {
		j := &processJob{Job: cluster.Job{Phase: cluster.Running, Native: strconv.Itoa(100 + i)}, dir: dir}
		q.jobs[cluster.JobID{Batch: b.Name, Index: i}] = j
		if q.fault == sweeptest.NeverVisible || q.fault == sweeptest.NotReached {
			j.Phase = cluster.Ended
			if q.fault == sweeptest.NotReached {
				j.Exit = "exit status 127"
			}
			continue
		}
		j.cmd = exec.Command("bash", "-c", cluster.Entry(b.Folder, strconv.Itoa(i)))
		j.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		if err := j.cmd.Start(); err != nil {
			q.t.Error(err)
			continue
		}
		over := make(chan struct{})
		go func() { defer close(over); q.wait(j) }()
		q.t.Cleanup(func() { j.signal(syscall.SIGKILL); <-over })
		go q.strike(j)
	}
}

// wait waits for a job's end.
func (q *processQueue) wait(j *processJob) {
	err := j.cmd.Wait()
	q.mu.Lock()
	defer q.mu.Unlock()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		j.Exit = exit.String()
	}
	if j.Phase = cluster.Ended; q.fault == sweeptest.PutBack {
		j.Phase = cluster.Pending
	}
}

// signal sends one to all processes of a job, if any is left.
func (j *processJob) signal(s syscall.Signal) { _ = syscall.Kill(-j.cmd.Process.Pid, s) }

// strike has the fault come over a job whose worker has begun.
func (q *processQueue) strike(j *processJob) {
	reasons := map[sweeptest.Fault]string{
		sweeptest.OutOfMemory: "OUT_OF_MEMORY", sweeptest.Preempted: "PREEMPTED", sweeptest.NodeFailure: "NODE_FAIL", sweeptest.PutBack: "",
		sweeptest.Cancelled: "CANCELLED by 0",
	}
	reason, struck := reasons[q.fault]
	if !struck && q.fault != sweeptest.TimeLimit {
		return
	}
	for {
		if events, _ := trial.ReadFolder(j.dir); len(events) > 0 {
			break
		}
		if q.t.Context().Err() != nil {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	if q.fault == sweeptest.TimeLimit {
		_ = j.cmd.Process.Signal(syscall.SIGUSR1) // it may have ended
		return
	}
	q.mu.Lock()
	j.Reason = reason
	q.mu.Unlock()
	j.signal(syscall.SIGKILL)
}

func (q *processQueue) Jobs(_ context.Context, batches []string) (map[cluster.JobID]cluster.Job, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.answers++; q.fault == sweeptest.NoAnswer && q.answers < 6 {
		return nil, errNoAnswer
	}
	jobs := map[cluster.JobID]cluster.Job{}
	for id, j := range q.jobs {
		if q.fault == sweeptest.Forgotten && j.Phase == cluster.Ended {
			continue
		}
		for _, name := range batches {
			if id.Batch == name {
				jobs[id] = j.Job
			}
		}
	}
	return jobs, nil
}

func (q *processQueue) Stop(_ context.Context, id cluster.JobID, kill bool) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	switch j := q.jobs[id]; {
	case j == nil || j.cmd == nil || j.Phase == cluster.Ended:
	case kill:
		j.Reason = "CANCELLED by 1000"
		j.signal(syscall.SIGKILL)
	default:
		return j.cmd.Process.Signal(syscall.SIGTERM)
	}
	return nil
}

// clusters keeps what outlives coordinators: a queue for each root.
type clusters struct {
	mu     sync.Mutex
	queues map[string]*processQueue
	clock  sweep.Clock
}

func newClusters() *clusters {
	return &clusters{queues: map[string]*processQueue{}, clock: fastClock{sweep.NewClock()}}
}

func (c *clusters) open(t *testing.T, root, worker string, f sweeptest.Fault) sweep.Executor {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.queues[root] == nil {
		c.queues[root] = &processQueue{t: t, fault: f, jobs: map[cluster.JobID]*processJob{}}
	}
	script := cluster.Script{Command: clustertest.Command(t, worker)}
	if f == sweeptest.LateFiles {
		script.Env = []string{clustertest.Late + "=0.3"} // of 3 s that files may take
	}
	return &cluster.Executor{Root: root, Queue: c.queues[root], Script: script, Clock: c.clock, Log: slog.New(slog.DiscardHandler)}
}

func TestExecutor(t *testing.T) {
	t.Parallel()
	c := newClusters()
	sweeptest.ExerciseExecutor(t, func(t *testing.T, root, worker string) sweep.Executor {
		t.Helper()
		return c.open(t, root, worker, "")
	})
}

func TestFaults(t *testing.T) {
	t.Parallel()
	sweeptest.ExerciseFaults(t, newClusters().open, sweeptest.LostRequest, sweeptest.LostReply, sweeptest.TakenTwice, sweeptest.Refused,
		sweeptest.NoAnswer, sweeptest.Forgotten, sweeptest.LateFiles, sweeptest.NeverVisible, sweeptest.OutOfMemory, sweeptest.Preempted,
		sweeptest.PutBack, sweeptest.NodeFailure, sweeptest.Cancelled, sweeptest.TimeLimit, sweeptest.NotReached)
}

package slurm_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/executor/cluster"
	"github.com/ranksweep/ranksweep/sweep/executor/cluster/clustertest"
	"github.com/ranksweep/ranksweep/sweep/executor/slurm"
	"github.com/ranksweep/ranksweep/sweep/executor/slurm/slurmtest"
	"github.com/ranksweep/ranksweep/sweep/sweeptest"
)

// batch is a batch on the real queue whose job.sh is lines of bash.
type batch struct {
	t *testing.T
	q *slurm.Queue
	cluster.Batch
}

func submit(t *testing.T, q *slurm.Queue, name string, jobs int, r cluster.Request, lines string) batch {
	t.Helper()
	b := batch{t: t, q: q, Batch: cluster.Batch{
		Name: name + "-" + strconv.FormatInt(time.Now().UnixNano(), 36), Folder: t.TempDir(), Dirs: make([]string, jobs), Request: r,
	}}
	b.write(lines)
	if err := q.Submit(t.Context(), b.Batch); err != nil {
		t.Fatal(err)
	}
	b.cleanUp()
	return b
}

func (b batch) write(lines string) {
	b.t.Helper()
	if err := os.WriteFile(filepath.Join(b.Folder, "job.sh"), []byte("cd '"+b.Folder+"'\n"+lines+"\n"), 0o600); err != nil {
		b.t.Fatal(err)
	}
}

// cleanUp leaves no job behind that would hold up the next test.
func (b batch) cleanUp() {
	b.t.Cleanup(func() {
		for i := range b.Dirs {
			_ = b.q.Stop(context.Background(), cluster.JobID{Batch: b.Name, Index: i}, true)
		}
		for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(200 * time.Millisecond) {
			jobs, err := b.q.Jobs(context.Background(), []string{b.Name})
			over := err == nil
			for _, job := range jobs {
				over = over && job.Phase == cluster.Ended
			}
			if over {
				return
			}
		}
	})
}

// until waits for a job to be as ok wants it.
func (b batch) until(index int, what string, ok func(cluster.Job) bool) cluster.Job {
	b.t.Helper()
	var job cluster.Job
	var err error
	for deadline := time.Now().Add(2 * time.Minute); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		var jobs map[cluster.JobID]cluster.Job
		jobs, err = b.q.Jobs(b.t.Context(), []string{b.Name})
		if job = jobs[cluster.JobID{Batch: b.Name, Index: index}]; err == nil && ok(job) {
			return job
		}
	}
	b.t.Fatalf("job %d of %s is %+v (%v), want %s", index, b.Name, job, err, what)
	return job
}

func (b batch) untilPhase(index int, p cluster.Phase) cluster.Job {
	b.t.Helper()
	return b.until(index, string(p), func(j cluster.Job) bool { return j.Phase == p })
}

func (b batch) untilFile(name string) string {
	b.t.Helper()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if text, err := os.ReadFile(filepath.Join(b.Folder, name)); err == nil && len(text) > 0 {
			return string(text)
		}
	}
	b.t.Fatalf("%s was not written", filepath.Join(b.Folder, name))
	return ""
}

func TestEndsOnSlurm(t *testing.T) { //nolint:paralleltest // the node has few cores
	slurmtest.Open(t)
	q := &slurm.Queue{}
	b := submit(t, q, "ends", 7, cluster.Request{Memory: 64 << 20}, `case $1 in
0) exit 0 ;;
1) exit 3 ;;
2) kill -9 $$ ;;
3) exec python3 -c 'import time; x = b"a" * (1 << 28); time.sleep(60)' ;;
4) trap 'echo asked >soft; exit 75' USR1; echo up >up4; while :; do sleep 1; done ;;
*) echo up >up$1; exec sleep 600 ;;
esac`)
	id := func(i int) cluster.JobID { return cluster.JobID{Batch: b.Name, Index: i} }
	b.untilFile("up4")
	b.untilFile("up5")
	if err := q.Stop(t.Context(), id(4), false); err != nil {
		t.Fatal(err)
	}
	if err := q.Stop(t.Context(), id(5), true); err != nil {
		t.Fatal(err)
	}
	got := map[int]cluster.Job{}
	for i := range 6 {
		job := b.untilPhase(i, cluster.Ended)
		if !strings.HasSuffix(job.Native, fmt.Sprintf("_%d", i)) {
			t.Errorf("job %d is called %s", i, job.Native)
		}
		job.Native = ""
		got[i] = job
	}
	want := map[int]cluster.Job{
		0: {Phase: cluster.Ended, Exit: "exit status 0"},
		1: {Phase: cluster.Ended, Exit: "exit status 3"},
		2: {Phase: cluster.Ended, Exit: "signal: killed"},
		3: {Phase: cluster.Ended, Exit: "signal: killed", Reason: "OUT_OF_MEMORY"},
		4: {Phase: cluster.Ended, Exit: "exit status 75"},
		5: {Phase: cluster.Ended, Exit: "signal: killed"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the jobs ended otherwise (-want +got):\n%s", diff)
	}
	if job := b.untilPhase(6, cluster.Running); job.Reason != "" {
		t.Errorf("the job beside those that were stopped: %+v", job)
	}
	if err := errors.Join(q.Stop(t.Context(), id(0), true), q.Stop(t.Context(), id(0), false)); err != nil {
		t.Errorf("Stop of a job that has ended: %v", err)
	}
	if most, err := q.Most(t.Context()); err != nil || most != 101 {
		t.Errorf("Most = %d, %v, want what one-node.sh sets", most, err)
	}
}

func TestOddFoldersAndNoEnvironmentOnSlurm(t *testing.T) {
	slurmtest.Open(t)
	t.Setenv("HF_TOKEN", "secret")
	t.Setenv("SBATCH_TIMELIMIT", "no time")
	t.Setenv("SWEEP_TEST_TOKEN", "wanted")
	q := &slurm.Queue{Settings: slurm.Settings{
		CPUs: 1, Extra: []string{"--comment=odd"}, Time: 10 * time.Minute, Environment: []string{"SWEEP_TEST_TOKEN"},
	}}
	b := batch{t: t, q: q, Batch: cluster.Batch{
		Name: "odd-" + strconv.FormatInt(time.Now().UnixNano(), 36), Dirs: make([]string, 1),
		Folder: filepath.Join(t.TempDir(), `an "odd" one's #1 $HOME|b`),
	}}
	if err := os.Mkdir(b.Folder, 0o700); err != nil {
		t.Fatal(err)
	}
	body := `cd "$(dirname "$0")"; env >env; echo "index $1" >ran`
	if err := os.WriteFile(filepath.Join(b.Folder, "job.sh"), []byte(body), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := q.Submit(t.Context(), b.Batch); err != nil {
		t.Fatal(err)
	}
	if got := b.untilFile("ran"); got != "index 0\n" {
		t.Errorf("the job ran with %q", got)
	}
	if env := b.untilFile("env"); strings.Contains(env, "secret") || !strings.Contains(env, "HOME=") ||
		!strings.Contains(env, "SWEEP_TEST_TOKEN=wanted") {
		t.Errorf("the job's environment is\n%s", env)
	}
	if job := b.untilPhase(0, cluster.Ended); job.Exit != "exit status 0" {
		t.Errorf("the job ended so: %+v", job)
	}
}

func TestTimeLimitOnSlurm(t *testing.T) { //nolint:paralleltest // the node has few cores
	slurmtest.Open(t)
	q := &slurm.Queue{Settings: slurm.Settings{Grace: 20 * time.Second}}
	b := submit(t, q, "time", 2, cluster.Request{Memory: 64 << 20, Time: time.Minute}, `trap 'echo asked >asked$1; [ $1 = 0 ] && exit 75' USR1
while :; do sleep 1; done`)
	b.untilPhase(1, cluster.Running)
	b.untilFile("asked1")
	if job := b.untilPhase(0, cluster.Ended); job.Exit != "exit status 75" || job.Reason != "" {
		t.Errorf("the job that heeds the request ended so: %+v", job)
	}
	if job := b.untilPhase(1, cluster.Ended); job.Reason != "TIMEOUT" {
		t.Errorf("the job that does not ended so: %+v", job)
	}
}

func TestPreemptionAndRequeueOnSlurm(t *testing.T) { //nolint:paralleltest // it takes the whole node
	node := slurmtest.Open(t)
	q := &slurm.Queue{}
	b := submit(t, q, "victim", 2, cluster.Request{Memory: 64 << 20}, `echo up >>up$1; exec sleep 600`)
	b.untilFile("up0")
	b.untilFile("up1")
	native := b.untilPhase(0, cluster.Running).Native
	node.Requeue(native)
	b.until(0, "waiting again", func(j cluster.Job) bool { return j.Phase == cluster.Pending })
	b.untilPhase(1, cluster.Running) // its sibling is left alone
	urgent := &slurm.Queue{Settings: slurm.Settings{Partition: "urgent", Extra: []string{"--exclusive"}}}
	taker := submit(t, urgent, "urgent", 1, cluster.Request{Memory: 64 << 20}, "exit 0")
	if job := b.untilPhase(1, cluster.Ended); job.Reason != "PREEMPTED" {
		t.Errorf("the job that gave way ended so: %+v", job)
	}
	taker.untilPhase(0, cluster.Ended)
}

func TestLostControllerOnSlurm(t *testing.T) { //nolint:paralleltest // it stops the daemons
	node := slurmtest.Open(t)
	q := &slurm.Queue{}
	b := submit(t, q, "control", 2, cluster.Request{Memory: 64 << 20}, `echo up >up$1; until [ -e go ]; do sleep 0.2; done; exit 7`)
	b.untilFile("up0")
	node.UntilSaved(b.untilPhase(1, cluster.Running).Native)
	node.Kill("slurmctld")
	if jobs, err := q.Jobs(t.Context(), []string{b.Name}); err == nil {
		t.Errorf("Jobs without a controller = %v", jobs)
	}
	lost := batch{t: t, q: q, Batch: cluster.Batch{
		Name: b.Name + "-lost", Folder: t.TempDir(), Dirs: make([]string, 1), Request: cluster.Request{Memory: 64 << 20},
	}}
	lost.write("exit 0")
	err := q.Submit(t.Context(), lost.Batch)
	if refused := (*cluster.RefusedError)(nil); err == nil || errors.As(err, &refused) {
		t.Errorf("Submit without a controller = %v, want neither yes nor no", err)
	}
	if err := os.WriteFile(filepath.Join(b.Folder, "go"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	node.Start("slurmctld")
	for i := range 2 {
		if job := b.untilPhase(i, cluster.Ended); job.Exit != "exit status 7" {
			t.Errorf("job %d, whose end the controller missed: %+v", i, job)
		}
	}
	if jobs, err := q.Jobs(t.Context(), []string{lost.Name}); err != nil || len(jobs) != 0 {
		t.Errorf("Jobs of the batch that was not taken = %v, %v", jobs, err)
	}
}

func TestLostNodeOnSlurm(t *testing.T) { //nolint:paralleltest // it stops the daemons
	node := slurmtest.Open(t)
	q := &slurm.Queue{}
	b := submit(t, q, "node", 1, cluster.Request{Memory: 64 << 20}, `echo up >up; exec sleep 600`)
	b.untilFile("up")
	node.Drain()
	waiting := submit(t, q, "drained", 1, cluster.Request{Memory: 64 << 20}, "exit 0")
	waiting.until(0, "waiting for a node", func(j cluster.Job) bool { return j.Phase == cluster.Pending && j.Reason != "" })
	unwanted := submit(t, q, "unwanted", 1, cluster.Request{Memory: 64 << 20}, "exit 0")
	unwanted.untilPhase(0, cluster.Pending)
	if err := q.Stop(t.Context(), cluster.JobID{Batch: unwanted.Name}, true); err != nil {
		t.Error(err)
	}
	if job := unwanted.untilPhase(0, cluster.Ended); job.Reason != "CANCELLED" {
		t.Errorf("a job that was stopped while it waited: %+v", job)
	}
	b.untilPhase(0, cluster.Running)
	node.Kill("slurmd")
	if job := b.untilPhase(0, cluster.Ended); job.Reason != "NODE_FAIL" {
		t.Errorf("the job of a dead node ended so: %+v", job)
	}
	node.Start("slurmd")
	node.Undrain()
	waiting.untilPhase(0, cluster.Ended)
}

// TestConformsOnSlurm: attempts whose jobs Slurm runs are started, found again, stopped and killed as any other.
func TestConformsOnSlurm(t *testing.T) { //nolint:paralleltest // its parts fill the node
	slurmtest.Open(t)
	sweeptest.ExerciseExecutor(t, func(t *testing.T, root, worker string) sweep.Executor {
		t.Helper()
		q := &slurm.Queue{Settings: slurm.Settings{Memory: 64 << 20}}
		return &cluster.Executor{
			Root: root, Queue: q, Script: cluster.Script{Command: clustertest.Command(t, worker)},
			Late: 12 * time.Second, Clock: sweep.NewClock(), Log: slog.New(slog.DiscardHandler),
		}
	})
}

package ray_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ranksweep/ranksweep/sweep/executor/cluster"
	"github.com/ranksweep/ranksweep/sweep/executor/ray"
	"github.com/ranksweep/ranksweep/sweep/executor/ray/raytest"
)

// script is a batch of one job on the head.
func script(t *testing.T, name, text string) cluster.Batch {
	t.Helper()
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "job.sh"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return cluster.Batch{Name: name, Folder: folder, Dirs: []string{folder}}
}

// until waits for a job's phase, for longer than a busy machine needs to start Ray's processes for it.
func until(t *testing.T, q *ray.Queue, name string, phase cluster.Phase) cluster.Job {
	t.Helper()
	var job cluster.Job
	for deadline := time.Now().Add(2 * time.Minute); time.Now().Before(deadline); time.Sleep(200 * time.Millisecond) {
		jobs, err := q.Jobs(context.Background(), []string{name})
		if err != nil {
			t.Fatal(err)
		}
		if job = jobs[cluster.JobID{Batch: name}]; job.Phase == phase {
			return job
		}
	}
	t.Fatalf("job %s is %+v, want %s", name, job, phase)
	return job
}

// TestOnRay has a real head answer: what the recorded replies stand for.
func TestOnRay(t *testing.T) {
	t.Parallel()
	head := raytest.Start(t, 2)
	q := &ray.Queue{Settings: head.Settings(), Program: "/bin/true"}
	ctx := context.Background()
	submit := func(b cluster.Batch) {
		t.Helper()
		if err := q.Submit(ctx, b); err != nil {
			t.Fatal(err)
		}
	}
	if version, err := q.Version(ctx); err != nil || version == "" {
		t.Errorf("Version() = %q, %v", version, err)
	}

	out := filepath.Join(t.TempDir(), "out")
	done := script(t, "done", fmt.Sprintf("echo $1 >> %s; exit 3", out))
	submit(done)
	submit(done) // as after a lost reply
	if j := until(t, q, "done", cluster.Ended); j.Exit != "exit status 3" || j.Reason != "" {
		t.Errorf("a job that ended with status 3 is %+v", j)
	}
	submit(done) // long after it
	if text, err := os.ReadFile(out); err != nil || string(text) != "0\n" {
		t.Errorf("the job wrote %q, error %v, want its index once", text, err)
	}

	submit(script(t, "killed", "kill -9 $$"))
	submit(script(t, "stopped", "trap 'sleep 5; echo checkpoint > "+out+"; exit 0' TERM; while true; do sleep 0.1; done"))
	if j := until(t, q, "killed", cluster.Ended); j.Exit != "signal: killed" {
		t.Errorf("a job that was killed is %+v", j)
	}
	until(t, q, "stopped", cluster.Running)
	if err := q.Stop(ctx, cluster.JobID{Batch: "stopped"}, true); err != nil {
		t.Fatal(err)
	}
	j := until(t, q, "stopped", cluster.Ended)
	if text, err := os.ReadFile(out); err != nil || string(text) != "checkpoint\n" || !strings.HasPrefix(j.Reason, "CANCELLED") {
		t.Errorf("a job that was stopped is %+v and wrote %q, error %v, want what it does within its time", j, text, err)
	}

	uploading := &ray.Queue{Settings: head.Settings(), Program: "/bin/true"}
	uploading.Settings.WorkingDir = ray.Upload
	if err := uploading.Submit(ctx, script(t, "uploaded", "test -x true && ./true")); err != nil {
		t.Fatal(err)
	}
	if j := until(t, q, "uploaded", cluster.Ended); j.Exit != "exit status 0" {
		t.Errorf("a job that needs the program in its folder is %+v", j)
	}

	pid := filepath.Join(t.TempDir(), "pid")
	submit(script(t, "orphan", "echo $$ > "+pid+"; while true; do sleep 0.1; done"))
	until(t, q, "orphan", cluster.Running)
	head.KillAgent()
	if j := until(t, q, "orphan", cluster.Ended); !strings.HasPrefix(j.Reason, "NODE_FAIL") {
		t.Errorf("a job whose node died with the job agent is %+v", j)
	}
}

package main

import (
	"context"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ranksweep/ranksweep/store"
	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/executor/cluster"
	"github.com/ranksweep/ranksweep/sweep/trial"
	"github.com/ranksweep/ranksweep/trainer/backend"
)

// TestPilotTrainsWhatASweepTrained: one job trains all trials of a sweep, in fewer processes than there are trials, and each comes to the
// same losses, bit for bit.
func TestPilotTrainsWhatASweepTrained(t *testing.T) {
	t.Parallel()
	s := newTestSweep(t, backend.PlatformGo, 5)
	s.finish()
	specs, err := filepath.Glob(s.path("runs", "trials", "*", "1", trial.SpecFile))
	if err != nil || len(specs) < 2 {
		t.Fatalf("%d specs, error %v", len(specs), err)
	}
	root := t.TempDir()
	queue := &shellQueue{jobs: map[cluster.JobID]*exec.Cmd{}}
	pilots := &cluster.Pilots{
		Queue: queue, Root: root, Script: cluster.Script{Command: []string{sweepBinary(t), "worker"}}, Crew: 1, Idle: time.Second,
		Clock: sweep.NewClock(), Log: slog.New(slog.DiscardHandler),
	}
	e := &cluster.Executor{Root: root, Queue: pilots, Script: pilots.Script, Clock: pilots.Clock, Log: pilots.Log}
	var ids []trial.AttemptID
	for _, path := range specs {
		a, err := trial.ReadAssignment(filepath.Dir(path))
		if err != nil {
			t.Fatal(err)
		}
		a.Cores = nil
		if err := e.Start(t.Context(), a); err != nil {
			t.Fatal(err)
		}
		ids = append(ids, a.Attempt)
	}
	for _, id := range ids {
		until(t, "the end of "+string(id), func() bool {
			p, err := e.Probe(t.Context(), id)
			if err != nil {
				t.Fatal(err)
			}
			return !p.Alive
		})
	}
	queue.running.Wait() // the pilot ends without work
	pids := map[string]bool{}
	for _, path := range specs {
		there := filepath.Dir(path)
		rel, err := filepath.Rel(s.path("runs"), there)
		if err != nil {
			t.Fatal(err)
		}
		here := filepath.Join(root, rel)
		if d := cmp.Diff(losses(t, there), losses(t, here)); d != "" {
			t.Errorf("%s (-sweep +pilot):\n%s", rel, d)
		}
		pids[readText(t, filepath.Join(here, trial.PIDFile))] = true
		if how := readText(t, filepath.Join(here, "exit")); how != "exit status 0\n" {
			t.Errorf("%s ended with %q", rel, how)
		}
	}
	if len(pids) >= len(specs) {
		t.Errorf("%d processes trained %d attempts", len(pids), len(specs))
	}
	t.Logf("%d processes trained %d attempts", len(pids), len(specs))
}

// TestPilotIsForClusters: --pilot puts pilots before a cluster's queue, and stays on in a root.
func TestPilotIsForClusters(t *testing.T) {
	t.Parallel()
	config := writeFile(t, "config.yaml", "ray: {cpus: 2}\n")
	root := t.TempDir()
	if err := (&app{root: root}).chooseExecutor("local", "", config, true); exitCode(err) != exitUsage {
		t.Errorf("--pilot on this machine: %v, want a usage error", err)
	}
	db, err := store.Open(t.Context(), filepath.Join(root, "sweep.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	for _, flag := range []bool{true, false} {
		a := &app{root: root, clock: sweep.NewClock()}
		if err := a.chooseExecutor("ray", "", config, flag); err != nil {
			t.Fatal(err)
		}
		e, err := a.executor.open(root, sweep.Capacity{Jobs: 3})
		if err != nil {
			t.Fatal(err)
		}
		if pilots, ok := e.(*cluster.Executor).Queue.(*cluster.Pilots); !ok || pilots.Crew != 3 {
			t.Errorf("--pilot %t: the queue is %+v, want pilots", flag, e.(*cluster.Executor).Queue)
		}
		if err := a.keepRanBy(t.Context(), db, sweep.Snapshot{}); err != nil {
			t.Fatal(err)
		}
	}
}

// shellQueue has a shell run what a cluster's queue would.
type shellQueue struct {
	jobs    map[cluster.JobID]*exec.Cmd
	running sync.WaitGroup
}

func (q *shellQueue) Most(context.Context) (int, error) { return 1, nil }

func (q *shellQueue) Submit(_ context.Context, b cluster.Batch) error {
	cmd := exec.Command("bash", "-c", cluster.Entry(b.Folder, "0"))
	if err := cmd.Start(); err != nil {
		return err
	}
	q.jobs[cluster.JobID{Batch: b.Name}] = cmd
	q.running.Go(func() { _ = cmd.Wait() })
	return nil
}

func (q *shellQueue) Jobs(context.Context, []string) (map[cluster.JobID]cluster.Job, error) {
	jobs := map[cluster.JobID]cluster.Job{}
	for id := range q.jobs {
		jobs[id] = cluster.Job{Phase: cluster.Running} // its files tell when it is over
	}
	return jobs, nil
}

func (q *shellQueue) Stop(_ context.Context, id cluster.JobID, kill bool) error {
	if cmd := q.jobs[id]; cmd != nil && kill {
		return cmd.Process.Kill()
	}
	return nil
}

// losses are all that an attempt's events say of losses.
func losses(t *testing.T, dir string) (all []float64) {
	t.Helper()
	events, _, err := trial.ReadEvents(filepath.Join(dir, trial.EventsFile), 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range events {
		switch {
		case e.Point != nil:
			all = append(all, e.Point.TrainLoss)
		case e.Evaluation != nil:
			all = append(all, e.Evaluation.ValLoss)
		case e.Outcome != nil && e.Outcome.ValLoss != nil:
			all = append(all, *e.Outcome.ValLoss)
		}
	}
	if len(all) == 0 {
		t.Errorf("%s has no losses", dir)
	}
	return all
}

func readText(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

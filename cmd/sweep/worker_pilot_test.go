package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

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
	pilots := &cluster.Pilots{Executor: &cluster.Executor{Root: root, Clock: sweep.NewClock()}}
	var name string
	for _, path := range specs {
		a, err := trial.ReadAssignment(filepath.Dir(path))
		if err != nil {
			t.Fatal(err)
		}
		a.Cores, name = nil, a.Sweep
		if err := pilots.Start(context.Background(), a); err != nil {
			t.Fatal(err)
		}
	}
	dir := filepath.Join(root, "pilots", name, "trials", "pilot", "1")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	// As a queue's job finds it.
	if err := trial.WriteSealed(filepath.Join(dir, "pilot.json"), map[string]any{
		"root": root, "inbox": filepath.Join(root, "pilots", name, "inbox"), "idle": time.Second,
	}); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(sweepBinary(t), "worker", "--pilot", "--job", dir).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
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

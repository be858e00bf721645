package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ranksweep/ranksweep/sweep/trial"
)

// TestWorkerAsJob: a job of a cluster trains as a local worker does, bit for bit, refuses what has run, and ends once a file asks it to.
func TestWorkerAsJob(t *testing.T) {
	t.Parallel()
	s := newTestSweep(t, "go", 5)
	if out, err := s.command().CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	snapshot, _ := s.snapshot()
	first := snapshot.Ladders[0].Rungs[0].Trials[0].Attempts[0]
	prepare := func(number int) (dir string) {
		a, err := trial.ReadAssignment(first.ID.Dir(s.rootDir()))
		if err != nil {
			t.Fatal(err)
		}
		a.Attempt = trial.NewAttemptID(first.ID.Trial(), number)
		if dir, err = a.Attempt.MakeDir(s.rootDir()); err == nil {
			err = trial.WriteAssignment(dir, a)
		}
		if err != nil {
			t.Fatal(err)
		}
		return dir
	}
	ending := func(dir string) *trial.Outcome {
		events, err := trial.ReadFolder(dir)
		if err != nil || len(events) == 0 || events[len(events)-1].Outcome == nil {
			t.Fatalf("%v, %v, want a last word", events, err)
		}
		return events[len(events)-1].Outcome
	}
	dir := prepare(2)
	if out, err := s.sweep("worker", "--job", dir).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if o := ending(dir); o.State != trial.OutcomeDone || *o.ValLoss != *first.Outcome.ValLoss {
		t.Errorf("it ended %s with %v, want %v", o.State, o.ValLoss, *first.Outcome.ValLoss)
	}
	if out, err := s.sweep("worker", "--job", dir).CombinedOutput(); err == nil || !strings.Contains(string(out), "has run before") {
		t.Errorf("run again: %v, %s", err, out)
	}
	dir = prepare(3)
	if err := os.WriteFile(filepath.Join(dir, "stop"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := s.sweep("worker", "--job", dir).CombinedOutput(); err != nil || ending(dir).State != trial.OutcomeInterrupted {
		t.Errorf("asked to stop: %v, %s, %+v", err, out, ending(dir))
	}
}

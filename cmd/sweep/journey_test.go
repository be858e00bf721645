package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ranksweep/ranksweep/sweep/trial"
	"github.com/ranksweep/ranksweep/trainer/backend"
)

// TestWholeLife leads a sweep through a whole life: paused, resumed, extended by a rank, killed with its workers, retried, confirmed,
// pruned, its database lost and made anew, and resumed. It ends as one that was run in one go with the final grid, and trains no step twice
// but what a kill cost.
func TestWholeLife(t *testing.T) {
	t.Parallel()
	whole, s := newTestSweep(t, backend.PlatformGo, 40), newTestSweep(t, backend.PlatformGo, 40)
	s.edit("rank: [1, 2, 4]", "rank: [1, 2]")

	run := s.start(s.command())
	until(t, "the first steps", s.trains)
	s.started = true
	s.ends(exitOK, "is paused", "pause", "test")
	until(t, "the workers' ends", func() bool { return s.livingWorkers() == 0 && s.attempts() > 0 })
	s.ends(exitOK, "goes on where it runs", "resume", "test")
	s.edit("rank: [1, 2]", "rank: [1, 2, 4]")
	s.ends(exitOK, "is extended", "extend", s.path("grid.yaml"))

	before := s.attempts()
	until(t, "another trial", func() bool { return s.attempts() > before || s.livingWorkers() > 0 })
	_ = run.Process.Kill()
	run.wait()
	s.killWorkers()
	until(t, "the workers' deaths", func() bool { return s.livingWorkers() == 0 })

	lost := s.loseOne()
	s.ends(exitIncomplete, "failed for good", "resume", "test", "--backend", "go", "--jobs", "2")
	s.ends(exitOK, "will be tried again", "retry", "--failed", "test")
	s.finish()
	for _, each := range []*testSweep{s, whole} {
		each.finish()
		each.ends(exitOK, "", "confirm", "test", "--max-seeds", "3", "--backend", "go")
	}
	s.mustTrainNothingTwice(lost)
	want := whole.report()
	s.ends(exitOK, "that no sweep needs", "prune", "--yes")

	s.loseDatabase()
	repaired := s.attempts()
	s.ends(exitOK, "nothing to train", "resume", "test", "--backend", "go")
	s.ends(exitOK, "nothing to train", "run", s.path("grid.yaml"), "--backend", "go")
	if now := s.attempts(); now != repaired {
		t.Errorf("%d attempts after the repair, then %d", repaired, now)
	}
	s.mustTrainNothingTwice(lost)
	if diff := cmp.Diff(want, s.report()); diff != "" {
		t.Errorf("report (-run in one go +after its life):\n%s", diff)
	}
}

// loseDatabase removes the database and has another made of the trials' folders.
func (s *testSweep) loseDatabase() {
	s.t.Helper()
	files, err := filepath.Glob(s.path("runs", "sweep.db*"))
	if err != nil || len(files) == 0 {
		s.t.Fatalf("the database's files: %v, %v", files, err)
	}
	for _, file := range files {
		if err := os.Remove(file); err != nil {
			s.t.Fatal(err)
		}
	}
	s.ends(exitOK, "rebuilt", "doctor", "--repair", "--backend", "go")
}

// mustTrainNothingTwice reads what workers wrote: an attempt goes on where the last checkpoint of an earlier one stands, and none follows
// one that is done.
func (s *testSweep) mustTrainNothingTwice(retried trial.ID) {
	s.t.Helper()
	folders, err := filepath.Glob(s.path("runs", "trials", "*", "*", trial.EventsFile))
	if err != nil || len(folders) == 0 {
		s.t.Fatalf("events: %v, %v", folders, err)
	}
	type progress struct {
		saved int // step of the last checkpoint
		done  bool
	}
	trials := map[trial.ID]progress{}
	steps := 0
	for _, path := range folders { // in the order of attempts
		id := attemptOf(filepath.Dir(path)).Trial()
		events, _, err := trial.ReadEvents(path, 0)
		if err != nil {
			s.t.Fatal(err)
		}
		p := trials[id]
		if p.done {
			s.t.Errorf("%s is trained again after it was done", id)
		}
		from := p.saved
		for _, e := range events {
			switch {
			case e.Kind == trial.EventPoint && e.Step <= from:
				s.t.Errorf("%s: step %d is trained again, with a checkpoint of step %d", path, e.Step, from)
			case e.Kind == trial.EventPoint:
				steps++
			case e.Kind == trial.EventCheckpoint:
				p.saved = e.Step
			case e.Kind == trial.EventEnded && e.Outcome.State == trial.OutcomeDone:
				p.done = true
			}
		}
		trials[id] = p
	}
	if len(trials) < 6 || steps < 6*40 || !trials[retried].done {
		s.t.Errorf("%d trials and %d steps were trained, want all of 6 with 40 each, and %s done", len(trials), steps, retried)
	}
}

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/trial"
	"github.com/ranksweep/ranksweep/trainer/backend"
)

// TestFoldersOfDoneTrialsAreRemoved: what the database knows of a trial whose folder somebody removed goes on to count. Doctor names it,
// what needs the folder says what helps, and to retry the trial trains it again.
func TestFoldersOfDoneTrialsAreRemoved(t *testing.T) {
	t.Parallel()
	s := newTestSweep(t, backend.PlatformGo, 4)
	s.finish()
	want := s.report()
	snapshot, _ := s.snapshot()
	rank := sweep.Conclude(snapshot).Verdicts[0].RecommendedRank
	var gone trial.ID
	snapshot.Each(func(_ *sweep.Ladder, _ int, f *sweep.TrialFacts) {
		if f.Trial.Rank == rank && f.Trial.Seed == 0 {
			gone = f.Trial.ID
		}
	})
	if err := os.RemoveAll(gone.Dir(s.rootDir())); err != nil {
		t.Fatal(err)
	}
	retry := trial.Command(s.rootDir(), "retry", string(gone))
	found := badFindings(t, s.rootDir())
	wantFound := []finding{
		{
			"folders", findingWarn, fmt.Sprintf("attempt %s/1: trials/%[1]s is not there; the database has it, and goes on to count", gone),
			trial.Command(s.rootDir(), "backup", "FILE.db") + " keeps what the database has",
		},
		{"adapters", findingWarn, found[len(found)-1].Detail, retry + " trains it again"},
	}
	if diff := cmp.Diff(wantFound, found); diff != "" {
		t.Errorf("doctor: -want +got\n%s", diff)
	}
	s.ends(exitOK, "", "doctor", "--repair")
	s.ends(exitOK, "nothing to train", "resume", "test", "--backend", "go")
	if diff := cmp.Diff(want, s.report()); diff != "" {
		t.Errorf("report: -before +without the folder\n%s", diff)
	}
	s.ends(exitNotFound, "or have this one trained again with: "+retry, "export", "test", "--seed", "0", "--to", s.path("out"))
	s.ends(exitNotFound, retry, "eval", "--trial", string(gone), "--backend", "go")
	if out, err := s.sweep("logs", string(gone)).Output(); err != nil || !strings.Contains(string(out), "has no folder any more") {
		t.Errorf("logs: %v, %s", err, out)
	}
	s.ends(exitOK, "its adapter is gone", "retry", string(gone))
	s.finish()
	if diff := cmp.Diff(want, s.report()); diff != "" {
		t.Errorf("report: -before +trained again\n%s", diff)
	}
	s.ends(exitOK, "", "export", "test", "--seed", "0", "--to", s.path("out"))
}

// TestFoldersOfOpenTrialsAreRemoved: the trial begins again, whether its folder goes while it trains or while nobody works on the sweep.
func TestFoldersOfOpenTrialsAreRemoved(t *testing.T) {
	t.Parallel()
	whole, s := newTestSweep(t, backend.PlatformGo, 60), newTestSweep(t, backend.PlatformGo, 60)
	cmd := s.start(s.command())
	until(t, "the first steps", s.trains)
	s.started = true
	first := func() (sweep.TrialFacts, string) {
		snapshot, _ := s.snapshot()
		f := snapshot.Ladders[0].Rungs[0].Trials[0]
		return f, f.Trial.ID.Dir(s.rootDir())
	}
	_, dir := first()
	if err := os.Rename(dir, s.path("removed")); err != nil { // at once: its worker writes
		t.Fatal(err)
	}
	until(t, "another attempt", func() bool { f, _ := first(); return len(f.Attempts) > 1 && f.Attempts[1].LastSeq > 3 })
	s.ends(exitOK, "is cancelled", "cancel", "test")
	cmd.wait()
	if n := s.livingWorkers(); n > 0 {
		t.Errorf("%d workers live on", n)
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	for i, f := range badFindings(t, s.rootDir())[:2] {
		if want := fmt.Sprintf("/%d: trials/%s is not there; the database has it", i+1, filepath.Base(dir)); !strings.Contains(f.Detail, want) {
			t.Errorf("doctor: %+v, want %q", f, want)
		}
	}
	s.finish()
	whole.finish()
	if diff := cmp.Diff(whole.report(), s.report()); diff != "" {
		t.Errorf("report (-undisturbed +this):\n%s", diff)
	}
}

package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ranksweep/ranksweep/store"
	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/trial"
	"github.com/ranksweep/ranksweep/trainer/backend"
)

// TestRemovalsAreFinished: what a kill left of rm and prune is told by doctor, and finished by the next command that writes, unless a
// removal goes on: what the database was not told of comes back, all else is deleted.
func TestRemovalsAreFinished(t *testing.T) {
	t.Parallel()
	root, done, _ := midwayRoot(t)
	trash := filepath.Join(root, removedPrefix+"1")
	place, gone := filepath.Join(root, "trials", string(done.ID)), filepath.Join(trash, "fedcba9876543210")
	for _, dir := range []string{gone, filepath.Join(trash, "0")} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Rename(place, filepath.Join(trash, string(done.ID))); err != nil {
		t.Fatal(err)
	}
	removals := func() (n int) {
		for _, f := range badFindings(t, root) {
			if f.Check == "removals" {
				n++
			}
		}
		return n
	}
	if n := removals(); n != 1 {
		t.Errorf("doctor finds %d removals that were cut short", n)
	}
	release, err := store.LockRemovals(root)
	if err != nil {
		t.Fatal(err)
	}
	_, _, said := sweepCommand(t, "pause", "prose", "--root", root)
	if _, err := os.Stat(trash); err != nil || removals() != 0 {
		t.Errorf("a removal that goes on is taken for one that was cut short: %v, %s", err, said)
	}
	if err := release(); err != nil {
		t.Fatal(err)
	}
	if code, _, said := sweepCommand(t, "resume", "prose", "--root", root); !strings.Contains(said, "trial "+string(done.ID)+" is back") {
		t.Errorf("resume: exit %d, said %s", code, said)
	}
	if _, err := os.Stat(place); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(trash); err == nil || removals() != 0 {
		t.Error("what nobody has any more is still there")
	}
}

// TestPruneTakesCachesOfRemovedSweeps: no sweep has them, so they may go; what is no cache stays.
func TestPruneTakesCachesOfRemovedSweeps(t *testing.T) {
	t.Parallel()
	root, _, _ := midwayRoot(t)
	names := []string{strings.Repeat("0f", 32), "jobs"}
	for _, name := range names {
		if err := os.MkdirAll(filepath.Join(root, "cache", name), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(root, "cache", name, "train.rows"), []byte("rows"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	code, out, said := sweepCommand(t, "prune", "prose", "--dry-run", "-o", "json", "--root", root)
	if code != exitOK || strings.Contains(out, names[0]) {
		t.Errorf("prune of another sweep: exit %d, %s%s", code, out, said)
	}
	code, out, said = sweepCommand(t, "prune", "--yes", "-o", "json", "--root", root)
	if code != exitOK || !strings.Contains(out, "cache/"+names[0]) || !strings.Contains(said, "4 B") {
		t.Errorf("prune: exit %d, %s%s", code, out, said)
	}
	for i, name := range names {
		if _, err := os.Stat(filepath.Join(root, "cache", name)); (err == nil) != (i == 1) {
			t.Errorf("cache/%s: %v", name, err)
		}
	}
}

// TestSweepsBeginBesideAPrune: a sweep that begins between prune's last look and its removals has the data that it trains on.
func TestSweepsBeginBesideAPrune(t *testing.T) {
	t.Parallel()
	s := newTestSweep(t, backend.PlatformGo, 4)
	s.finish()
	s.edit("name: test", "name: other")
	s.edit("steps: 4", "steps: 5")
	a := &app{root: s.rootDir()}
	db, err := a.openReadOnly(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close() //nolint:errcheck // read only
	var other *running
	err = a.removing(func(trash string) error {
		now, err := a.readPrunables(t.Context(), db, "")
		if err != nil || !slices.ContainsFunc(now.Files, func(f prunable) bool { return f.Kind == pruneCache }) {
			t.Errorf("prune would take %+v, %v, want the cache among it", now.Files, err)
		}
		other = s.start(s.sweep("run", s.path("grid.yaml"), "--backend", "go", "--jobs", "2"))
		began := false
		for deadline := time.Now().Add(5 * time.Second); !began && time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
			if info, err := db.Find(t.Context(), "other"); err == nil {
				other, err := db.Snapshot(t.Context(), info.ID)
				began = err == nil && len(other.Ladders) > 0
			}
		}
		if began {
			t.Error("the other sweep relies on data that may be about to go")
		}
		return a.removeAll(now.Files, trash)
	})
	if err != nil {
		t.Fatal(err)
	}
	if code := other.wait(); code != exitOK || strings.Contains(other.said.String(), "for good") {
		t.Errorf("the other sweep: exit %d, said %s", code, other.said.String())
	}
}

// TestCancelOfASweepThatHasJustEnded: it says what happened, whether the coordinator ended before it was asked or, with the sweep, since.
func TestCancelOfASweepThatHasJustEnded(t *testing.T) {
	t.Parallel()
	midway, _, _ := midwayRoot(t)
	for root, want := range map[string]string{
		midway: "sweep prose was not cancelled: its coordinator has just ended by itself; how it stands: " +
			trial.Command(midway, "status", "prose") + "\n",
		finishedRoot(t): "sweep prose was not cancelled: it has just finished; its report: ",
	} {
		finished := root != midway
		if finished {
			want += trial.Command(root, "report", "prose") + "\n"
		}
		var said bytes.Buffer
		a := &app{root: root, stderr: &said}
		err := a.asking(t.Context(), "prose", func(s subject) error {
			now := sweep.Instant{Wall: time.Now()}
			session, err := s.db.StartSession(t.Context(), s.snapshot.Sweep.ID, now, sweep.Coordinator{})
			if err != nil {
				return err
			}
			if !finished {
				if err := s.db.EndSession(t.Context(), session, now); err != nil {
					return err
				}
				return a.cancelWorked(t.Context(), s)
			}
			ended := make(chan error)
			go func() {
				time.Sleep(300 * time.Millisecond)
				ended <- s.db.EndSession(context.Background(), session, now)
			}()
			return errors.Join(a.cancelWorked(t.Context(), s), <-ended)
		})
		if err != nil || said.String() != want {
			t.Errorf("cancel: %v, said %q, want %q", err, said.String(), want)
		}
	}
}

// TestRmAsksWithoutTheLease: while a person thinks about it no session goes on, and what changes meanwhile stops the removal.
func TestRmAsksWithoutTheLease(t *testing.T) {
	t.Parallel()
	root, _, _ := midwayRoot(t)
	ask := func(meanwhile func()) int {
		s, ended := openTerminal(t, 200), make(chan int)
		go func() {
			ended <- run(t.Context(), []string{"rm", "prose", "--root", root}, s.program, s.program, s.program)
		}()
		s.seen(0, "remove sweep prose for good? [y/N]")
		meanwhile()
		if _, err := s.person.WriteString("y\n"); err != nil {
			t.Fatal(err)
		}
		return <-ended
	}
	code := ask(func() {
		db, err := store.Open(t.Context(), filepath.Join(root, "sweep.db"))
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close() //nolint:errcheck // every write is committed
		info, err := db.Find(t.Context(), "prose")
		if err != nil {
			t.Fatal(err)
		}
		if working, err := worked(t.Context(), db, info.ID); err != nil || working {
			t.Errorf("the sweep is held while the question stands: %v", err)
		}
		if err := db.Ask(t.Context(), info.ID, sweep.RequestPause, time.Now()); err != nil {
			t.Fatal(err)
		}
	})
	if code != exitError {
		t.Errorf("rm of a sweep that has changed = %d, want %d", code, exitError)
	}
	if code := ask(func() {}); code != exitOK {
		t.Errorf("rm = %d", code)
	}
	if code, _, _ := sweepCommand(t, "status", "prose", "--root", root); code != exitNotFound {
		t.Errorf("status of the removed sweep: exit %d", code)
	}
}

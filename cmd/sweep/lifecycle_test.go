package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ranksweep/ranksweep/store"
	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/trial"
	"github.com/ranksweep/ranksweep/trainer"
	"github.com/ranksweep/ranksweep/trainer/backend"
	"github.com/ranksweep/ranksweep/trainer/weights"
)

// ends runs a command that must end with a code and say something.
func (s *testSweep) ends(code int, says string, args ...string) {
	s.t.Helper()
	r := s.start(s.sweep(args...))
	if got := r.wait(); got != code || !strings.Contains(r.said.String(), says) {
		s.t.Errorf("%v: exit %d, want %d and %q; it said %s", args, got, code, says, r.said.String())
	}
}

// writes lets a person with a database shell change the facts.
func (s *testSweep) writes(f func(ctx context.Context, db *store.DB) error) {
	s.t.Helper()
	db, err := store.Open(context.Background(), s.path("runs", "sweep.db"))
	if err != nil {
		s.t.Fatal(err)
	}
	if err := f(context.Background(), db); err != nil {
		s.t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		s.t.Fatal(err)
	}
}

// TestLifecycleFromAnotherTerminal pauses, resumes and cancels a sweep beside the process that runs it, and retries a trial that failed:
// the results are those of an undisturbed one.
func TestLifecycleFromAnotherTerminal(t *testing.T) {
	t.Parallel()
	whole, s := newTestSweep(t, backend.PlatformGo, 60), newTestSweep(t, backend.PlatformGo, 60)
	s.ends(exitNotFound, "no sweep was run", "pause")
	cmd := s.start(s.command())
	until(t, "the first steps", s.trains)
	s.started = true

	s.ends(exitOK, "what runs goes on to its end", "pause", "test")
	s.ends(exitOK, "paused already", "pause", "test")
	until(t, "the workers' ends", func() bool { return s.livingWorkers() == 0 && s.attempts() > 0 })
	before := s.attempts()
	s.ends(exitNotFound, "did you mean test", "pause", "tset")
	for _, args := range [][]string{{"status", "test"}, {"list"}} {
		if out, err := s.sweep(args...).CombinedOutput(); err != nil || !strings.Contains(string(out), "paused") {
			t.Errorf("%v of a paused sweep: %v\n%s", args, err, out)
		}
	}
	time.Sleep(2 * time.Second) // the coordinator has long seen it
	if now := s.attempts(); now != before {
		t.Errorf("%d attempts while it was paused, then %d", before, now)
	}
	s.ends(exitOK, "goes on where it runs", "resume", "test")
	until(t, "another trial", func() bool { return s.attempts() > before })

	s.ends(exitLocked, "sweep test is worked on by \"sweep run", "doctor", "--repair")
	s.ends(exitUsage, "prints no result", "pause", "test", "-o", "json")
	s.ends(exitUsage, "prints no result", "cancel", "test", "--out", s.path("result"))
	s.ends(exitOK, "is cancelled; nothing is lost: continue with: sweep resume test", "cancel", "test")
	if code := cmd.wait(); code != exitInterrupted || !strings.Contains(cmd.said.String(), "cancelled; nothing is lost") ||
		!strings.Contains(cmd.said.String(), "nothing new starts until: sweep resume test") {
		t.Errorf("the cancelled run: exit %d, said %s", code, cmd.said.String())
	}
	if out, err := s.sweep("status", "test").CombinedOutput(); err != nil || !strings.Contains(string(out), "test: cancelled") {
		t.Errorf("status of a cancelled sweep: %v\n%s", err, out)
	}
	s.ends(exitOK, "nothing of it runs", "cancel", "test")

	lost := s.loseOne()
	s.ends(exitIncomplete, "1 trial failed for good: see the report, and: "+trial.Command(s.rootDir(), "logs", string(lost))+"\n",
		"resume", "test", "--backend", "go", "--jobs", "2")
	shown, err := s.sweep("show", string(lost)).Output()
	text := string(shown)
	if err != nil || !strings.Contains(text, "\nattempt 1: failed, begun ") || !strings.Contains(text, "\n  the disk was full\n") {
		t.Errorf("show of a trial that failed: %v\n%s", err, shown)
	}
	s.ends(exitUsage, "TRIAL", "retry")
	s.ends(exitNotFound, "", "retry", "nothing")
	done, _ := s.snapshot()
	trained := string(done.Ladders[0].Rungs[0].Trials[0].Trial.ID)
	s.ends(exitUsage, "is done in sweep test: retry takes trials that ended without a loss", "retry", trained)
	s.ends(exitOK, "continue with: sweep resume test", "retry", string(lost)[:8])
	if out, err := s.sweep("status", "test").Output(); err != nil || strings.Count(string(out), "to be trained again") != 1 {
		t.Errorf("status of a trial that waits for its retry: %v\n%s", err, out)
	}
	s.finish()
	s.ends(exitOK, "nothing to retry", "retry", "--failed", "test")
	whole.finish()
	if diff := cmp.Diff(whole.report(), s.report()); diff != "" {
		t.Errorf("report (-undisturbed +this):\n%s", diff)
	}
}

// loseOne makes the last trial one that failed for good, whatever it is now.
func (s *testSweep) loseOne() trial.ID {
	s.t.Helper()
	snapshot, _ := s.snapshot()
	rungs := snapshot.Ladders[0].Rungs
	t := rungs[len(rungs)-1].Trials[0]
	if state := t.State(); state.Over() {
		s.t.Fatalf("the last trial is %s already", state)
	}
	id := trial.NewAttemptID(t.Trial.ID, len(t.Attempts)+1)
	s.writes(func(ctx context.Context, db *store.DB) error {
		a := trial.Assignment{Attempt: id, Sweep: "test", Trial: t.Trial.Trial()}
		if err := db.BeginAttempt(ctx, t.Trial.ID, id.Number(), a, time.Now()); err != nil {
			return err
		}
		return db.AppendEvents(ctx, id, []trial.Event{{
			Seq: 1, At: time.Now(), Kind: trial.EventEnded,
			Outcome: &trial.Outcome{State: trial.OutcomeFailed, Error: "the disk was full"},
		}})
	})
	return t.Trial.ID
}

// TestRetryMakesAnAdapterAnew: a trial that is done is trained again where its adapter is damaged or gone, and nothing else changes by it.
func TestRetryMakesAnAdapterAnew(t *testing.T) {
	t.Parallel()
	s := newTestSweep(t, backend.PlatformGo, 4)
	s.finish()
	want := s.report()
	snapshot, _ := s.snapshot()
	trials := snapshot.Ladders[0].Rungs[0].Trials
	damaged, gone := string(trials[0].Trial.ID), string(trials[1].Trial.ID)
	adapter := s.path("runs", "trials", damaged, "1", trainer.AdapterFolder)
	file := filepath.Join(adapter, "adapter_model.safetensors")
	body, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	body[len(body)-1] ^= 1
	if err := errors.Join(
		os.WriteFile(file, body, 0o600), os.RemoveAll(s.path("runs", "trials", gone, "1", trainer.AdapterFolder)),
	); err != nil {
		t.Fatal(err)
	}
	if bad := badFindings(t, s.rootDir()); len(bad) != 1 || !strings.HasPrefix(bad[0].Fix, "sweep retry "+damaged+" --root ") {
		t.Errorf("doctor: %+v, want the damaged adapter with what helps", bad)
	}
	s.ends(exitOK, "its adapter is damaged", "retry", damaged)
	s.ends(exitUsage, "is to be tried again already in sweep test", "retry", damaged)
	s.ends(exitOK, "its adapter is gone", "retry", gone)
	if open, _ := s.snapshot(); sweep.Conclude(open).Done {
		t.Error("nothing is left to train")
	}
	var status struct {
		Ladders []struct {
			Rungs []struct{ Trials []trialStatus }
		}
	}
	s.output(&status, "status", "test")
	for _, waits := range status.Ladders[0].Rungs[0].Trials {
		if !waits.Retry || waits.ValLoss != nil || waits.TrainLoss != nil || waits.State != stateInterrupted {
			t.Errorf("status of a trial that is to be trained again: %+v", waits)
		}
	}
	s.finish()
	if diff := cmp.Diff(want, s.report()); diff != "" {
		t.Errorf("report (-before +trained again):\n%s", diff)
	}
	for _, id := range []string{damaged, gone} {
		s.ends(exitUsage, "is done in sweep test", "retry", id)
		if _, err := os.Stat(s.path("runs", "trials", id, "2", trainer.AdapterFolder, weights.SumsFile)); err != nil {
			t.Error(err)
		}
	}
	if bad := badFindings(t, s.rootDir()); len(bad) > 0 {
		t.Errorf("afterwards: %+v", bad)
	}
}

// TestResumeLiftsAPause: a sweep that was paused while no coordinator worked on it goes on with the next one.
func TestResumeLiftsAPause(t *testing.T) {
	t.Parallel()
	s := newTestSweep(t, backend.PlatformGo, 10)
	cmd := s.start(s.command())
	until(t, "the sweep", s.registered)
	s.ends(exitOK, "paused", "pause")
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	cmd.wait()
	s.ends(exitOK, "", "cancel") // the workers that live on
	until(t, "the orphans' last words", func() bool { return s.livingWorkers() == 0 })
	if out, err := s.sweep("status").CombinedOutput(); err != nil || !strings.Contains(string(out), "test: paused") {
		t.Errorf("status: %v\n%s", err, out)
	}
	s.finish()
	snapshot, _ := s.snapshot()
	if snapshot.Sweep.Asked.Paused || !sweep.Conclude(snapshot).Done {
		t.Errorf("after the resume: %+v", snapshot.Sweep.Asked)
	}
	s.ends(exitOK, "finished; there is nothing to pause", "pause", "test")
}

// TestNothingComesBackOrGoesByTheWay: a sweep that was removed stays so whatever is repaired, what another one shares with it stays, and an
// edited grid that waits is not lost by renaming.
func TestNothingComesBackOrGoesByTheWay(t *testing.T) {
	t.Parallel()
	s := newTestSweep(t, backend.PlatformGo, 4)
	s.finish()
	text, err := os.ReadFile(s.path("grid.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	grid := strings.NewReplacer("name: test", "name: other", "[1, 2, 4]", "[1, 2]").Replace(string(text))
	if err := os.WriteFile(s.path("other.yaml"), []byte(grid), 0o600); err != nil {
		t.Fatal(err)
	}
	s.ends(exitOK, "", "run", s.path("other.yaml"), "--backend", "go")
	s.ends(exitUsage, "--yes", "rm", "test")
	s.ends(exitOK, "sweep test is removed", "rm", "test", "--yes")
	if bad := badFindings(t, s.rootDir()); len(bad) > 0 {
		t.Errorf("after the removal: %+v", bad)
	}
	s.ends(exitOK, "", "doctor", "--repair")
	s.ends(exitNotFound, "", "status", "test")
	s.ends(exitOK, "", "report", "other")

	s.writes(func(ctx context.Context, db *store.DB) error {
		info, err := db.Find(ctx, "other")
		if err != nil {
			return err
		}
		return db.AskGrid(ctx, info.ID, store.GivenGrid{At: time.Now(), Text: grid, Hash: "edited", Path: s.path("other.yaml")})
	})
	s.ends(exitUsage, "waits to be taken up", "rename", "other", "third")
}

// TestRequestsOutliveTheDatabase: what a person asks is in the trials' folders at once, also where no trial starts after it.
func TestRequestsOutliveTheDatabase(t *testing.T) {
	t.Parallel()
	s := newTestSweep(t, backend.PlatformGo, 20)
	s.edit("rank: [1, 2, 4]", "rank: [1, 2]")
	cmd := s.start(s.command())
	until(t, "the first steps", s.trains)
	s.ends(exitOK, "is paused", "pause", "test")
	until(t, "the workers' ends", func() bool { return s.livingWorkers() == 0 && s.attempts() > 0 })
	s.edit("rank: [1, 2]", "rank: [1, 2, 4]")
	s.ends(exitOK, "is extended", "extend", s.path("grid.yaml"))
	_ = cmd.Process.Kill()
	cmd.wait()
	s.loseDatabase()
	s.ends(exitOK, "paused already", "pause", "test")
	lost := s.loseOne()
	s.ends(exitOK, "will be tried again", "retry", string(lost))
	s.loseDatabase()
	snapshot, _ := s.snapshot()
	snapshot.Each(func(_ *sweep.Ladder, _ int, f *sweep.TrialFacts) {
		if asked := f.Retried > 0; asked != (f.Trial.ID == lost) {
			t.Errorf("trial %s: asked to be retried: %v", f.Trial.ID, asked)
		}
	})
	s.ends(exitOK, "was paused; it goes on", "resume", "test", "--backend", "go")
	if snapshot, _ := s.snapshot(); len(snapshot.Ladders[0].Rungs) != 3 {
		t.Errorf("%d ranks, want the 3 of the edited grid", len(snapshot.Ladders[0].Rungs))
	}
}

// TestPruneAsksAgain: what a sweep has come to need while the question stood does not go.
func TestPruneAsksAgain(t *testing.T) {
	t.Parallel()
	asked := pruneView{Files: []prunable{{pruneCache, "cache/1", 5}, {pruneCache, "cache/2", 7}}, Bytes: 12}
	now := pruneView{Files: []prunable{{pruneCache, "cache/2", 7}, {pruneCache, "cache/3", 9}}, Bytes: 16}
	want := pruneView{Files: []prunable{{pruneCache, "cache/2", 7}}, Bytes: 7}
	if diff := cmp.Diff(want, asked.within(now)); diff != "" {
		t.Error(diff)
	}
}

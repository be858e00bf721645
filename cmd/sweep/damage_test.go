package main

import (
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ranksweep/ranksweep/sweep/trial"
	"github.com/ranksweep/ranksweep/trainer/backend"
)

// damages are what may happen to a file between two runs.
var damages = []struct { //nolint:gochecknoglobals // a table
	name string
	do   func(content []byte, random *rand.Rand) []byte
}{
	{"cut short", func(b []byte, r *rand.Rand) []byte { return b[:r.IntN(len(b))] }},
	{"emptied", func([]byte, *rand.Rand) []byte { return nil }},
	{"one bit flipped", func(b []byte, r *rand.Rand) []byte { b[r.IntN(len(b))] ^= 1 << r.IntN(8); return b }},
	{"a sector of zeros", func(b []byte, r *rand.Rand) []byte { at := r.IntN(len(b)); clear(b[at:min(at+512, len(b))]); return b }},
	{"made longer", func(b []byte, r *rand.Rand) []byte { return append(b, fmt.Sprint("\n", r.Uint64(), "\x00\xff")...) }},
	{"gone", nil},
}

const eventsPattern = "trials/*/*/" + trial.EventsFile

// damaged are the files that a sweep relies on, below its root.
var damaged = []struct{ name, pattern string }{ //nolint:gochecknoglobals // a table
	{"database", "sweep.db"},
	{"log of the database", "sweep.db-wal"},
	{"index of the log", "sweep.db-shm"},
	{"events", eventsPattern},
	{"checkpoint", "trials/*/*/checkpoints/*.ckpt"},
	{"assignment", "trials/*/*/spec.json"},
	{"rows", "cache/*/*.rows"},
	{"rows' description", "cache/*/info.json"},
}

// TestDamagedFilesLoseNothing kills a sweep, damages one of its files, and has it go on: as if nothing had been, or after the error has
// said what to do and that was done.
func TestDamagedFilesLoseNothing(t *testing.T) {
	t.Parallel()
	if os.Getenv(roundsVariable) == "" {
		t.Skip("SKIPPED, this takes minutes: make crash")
	}
	seed := seedOf(t)
	began := time.Now()
	whole := newTestSweep(t, backend.PlatformGo, 20)
	whole.finish()
	want, took := whole.proof(), time.Since(began)
	for f, file := range damaged {
		for d, damage := range damages {
			// In a short run each file is damaged once, in a way that the seed chooses.
			if os.Getenv(roundsVariable) == "1" && (f+d)%len(damages) != int(seed%uint64(len(damages))) {
				continue
			}
			for round := range rounds(t, f*len(damages)+d, seed) {
				t.Run(fmt.Sprintf("%s %s %d", file.name, damage.name, round), func(t *testing.T) {
					t.Parallel()
					random := rand.New(rand.NewPCG(seed+uint64(round), uint64(f*len(damages)+d)))
					s := newTestSweep(t, backend.PlatformGo, 20)
					path := s.untilThere(file.pattern, random, took)
					what := fmt.Sprintf("%s %s", path, damage.name)
					if err := damageFile(path, damage.do, random); err != nil {
						t.Fatal(err)
					}
					if random.IntN(2) == 0 {
						s.mend(what)
					}
					s.goOn(what)
					s.mustEqual(want, what)
					if file.pattern != eventsPattern { // what a damaged log lacks nobody can know
						s.mustHoldEveryEvent()
					}
					s.discard()
				})
			}
		}
	}
}

// TestDamageThatNothingReadsIsFound: the coordinator looks at all of the database before it writes to it, not only at what it needs.
func TestDamageThatNothingReadsIsFound(t *testing.T) {
	t.Parallel()
	s := newTestSweep(t, backend.PlatformGo, 20)
	s.killedAtWork()
	zeroRoot(t, filepath.Join(s.rootDir(), "sweep.db"), "requests_by_trial")
	s.ends(exitError, "the database is damaged", "resume")
	s.ends(exitError, "sweep doctor --repair --root "+s.rootDir(), "run", s.path("grid.yaml"))
	s.mend("the database")
	s.finish()
	s.ends(exitOK, "", "doctor")
}

// TestHalfARegistrationIsRefused: a disk that lied about its syncs kept a part of what was registered. What the error says to do helps.
func TestHalfARegistrationIsRefused(t *testing.T) {
	t.Parallel()
	s := newTestSweep(t, backend.PlatformGo, 20)
	s.killedAtWork()
	db := filepath.Join(s.rootDir(), "sweep.db")
	s.executes(`DELETE FROM rung_trials WHERE rank = 4`)
	s.ends(exitError, "move it and its -wal away, and run its grid again", "run", s.path("grid.yaml"))
	for _, suffix := range []string{"", "-wal"} {
		if err := os.Rename(db+suffix, s.path("old.db"+suffix)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
	}
	s.started = false
	s.finish()
	if s.attempts() < 6 {
		t.Errorf("%d attempts, want one for each rank and seed", s.attempts())
	}
}

// TestALadderWithoutTrialsIsMended: that nothing of a ladder was kept is found before anything is concluded of it.
func TestALadderWithoutTrialsIsMended(t *testing.T) {
	t.Parallel()
	s := newTestSweep(t, backend.PlatformGo, 20)
	s.killedAtWork()
	s.executes(`DELETE FROM rung_trials`)
	s.ends(exitError, "ladder 1 of sweep test has lost its trials: sweep doctor --repair", "run", s.path("grid.yaml"))
	s.mend("the database")
	s.finish()
	s.ends(exitOK, "", "doctor")
}

// executes alters the database as SQLite's shell would.
func (s *testSweep) executes(statement string) {
	s.t.Helper()
	db, err := sql.Open("sqlite3", filepath.Join(s.rootDir(), "sweep.db"))
	if err == nil {
		_, err = db.ExecContext(s.t.Context(), statement)
	}
	if err := errors.Join(err, db.Close()); err != nil {
		s.t.Fatal(err)
	}
}

// killedAtWork runs the sweep and kills all of it after its first steps.
func (s *testSweep) killedAtWork() {
	s.t.Helper()
	cmd := s.start(s.command())
	until(s.t, "the first steps", s.trains)
	_ = cmd.Process.Kill() // it may have ended a moment ago
	cmd.wait()
	until(s.t, "the workers' ends", func() bool { return s.killWorkers() == 0 && len(s.workersAttempts()) == 0 })
}

// zeroRoot clears the first page of a table or an index.
func zeroRoot(t *testing.T, path, name string) {
	t.Helper()
	db, err := sql.Open("sqlite3", path)
	if err != nil {
		t.Fatal(err)
	}
	var page, size, unused int64
	err = errors.Join(
		db.QueryRowContext(t.Context(), `PRAGMA wal_checkpoint(TRUNCATE)`).Scan(&unused, &unused, &unused),
		db.QueryRowContext(t.Context(), `SELECT rootpage FROM sqlite_schema WHERE name = ?`, name).Scan(&page),
		db.QueryRowContext(t.Context(), `PRAGMA page_size`).Scan(&size),
		db.Close(),
	)
	if err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	clear(content[(page-1)*size : page*size])
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

// untilThere runs the sweep and kills all of it at a random moment, again and again until a file of the pattern is left.
func (s *testSweep) untilThere(pattern string, random *rand.Rand, took time.Duration) string {
	s.t.Helper()
	for range 20 {
		s.started = s.started || s.registered()
		_, done := s.stint(random, took, s.start(s.command()), func(cmd *running) {
			time.Sleep(took / 4)
			_ = cmd.Process.Kill() // it may have ended a moment ago
			cmd.wait()
			for len(s.workersAttempts()) > 0 { // one that has just begun has not written its process id yet
				s.killWorkers()
				time.Sleep(10 * time.Millisecond)
			}
		})
		found, err := filepath.Glob(filepath.Join(s.rootDir(), pattern))
		if err != nil {
			s.t.Fatal(err)
		}
		found = slices.DeleteFunc(found, func(path string) bool {
			info, err := os.Stat(path)
			return err != nil || info.Size() == 0
		})
		if len(found) > 0 {
			return found[random.IntN(len(found))]
		}
		if done {
			break
		}
	}
	s.t.Skipf("SKIPPED, the sweep left no %s", pattern)
	return ""
}

func damageFile(path string, do func([]byte, *rand.Rand) []byte, random *rand.Rand) error {
	if do == nil {
		return os.Remove(path)
	}
	content, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	return os.WriteFile(path, do(content, random), 0o600)
}

// mend has sweep doctor --repair make the root whole, and fails where it leaves a problem other than what is lost.
func (s *testSweep) mend(what string) {
	s.t.Helper()
	found, err := s.sweep("doctor").CombinedOutput()
	repaired, repairErr := s.sweep("doctor", "--repair").CombinedOutput()
	if repairErr != nil && !strings.Contains(string(repaired), "problem  lost ") {
		s.t.Errorf("%s: doctor found (%v)\n%s\nand could not repair it (%v)\n%s", what, err, found, repairErr, repaired)
	}
	if again, err := s.sweep("doctor").CombinedOutput(); err != nil {
		s.t.Errorf("%s: after the repair (%s) doctor still finds (%v)\n%s", what, repaired, err, again)
	}
}

// goOn has the sweep go on to its end. Where it refuses, it must say why; sweep doctor --repair then makes the root whole.
func (s *testSweep) goOn(what string) {
	s.t.Helper()
	cmd := s.start(s.command())
	if cmd.endedWith(exitOK) {
		return
	}
	if err := cmd.cleanly(); err != nil {
		s.t.Errorf("%s: %v", what, err)
	}
	s.t.Logf("%s: refused: %s", what, lastLine(cmd.said.String()))
	s.mend(what)
	s.started = false
	if out, err := s.tryFinish(); err != nil {
		s.t.Fatalf("%s: refused, repaired, and refused again: %v\n%s", what, err, out)
	}
}

func lastLine(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return lines[len(lines)-1]
}

// mustHoldEveryEvent fails where the database lacks an event that a worker wrote.
func (s *testSweep) mustHoldEveryEvent() {
	s.t.Helper()
	l := readLedger(s.t, s.rootDir())
	logs, err := filepath.Glob(filepath.Join(s.rootDir(), "trials", "*", "*", trial.EventsFile))
	if err != nil {
		s.t.Fatal(err)
	}
	for _, path := range logs {
		attempt := attemptOf(filepath.Dir(path))
		events, _, err := trial.ReadEvents(path, 0)
		if err != nil {
			s.t.Errorf("%s: %v", path, err)
		}
		written := map[string]bool{}
		for _, e := range events {
			written[eventKey(attempt, e.Seq, e.Kind, e.Step)] = true
		}
		if lost := l.lacks(written); len(lost) > 0 {
			s.t.Errorf("the database lacks %d events of %s: %v", len(lost), attempt, lost)
		}
	}
}

package main

import (
	"bytes"
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

	"github.com/ranksweep/ranksweep/trainer/backend"
)

// TestDoctorFindsDamage damages one file of a finished root after the other. Either doctor finds it or the report is what it was; and once
// it is repaired the report is what it was, or what is lost has been said.
func TestDoctorFindsDamage(t *testing.T) {
	t.Parallel()
	s := newTestSweep(t, backend.PlatformGo, 4)
	s.finish()
	if bad := badFindings(t, s.rootDir()); len(bad) > 0 {
		t.Fatalf("a finished root: %+v, want nothing to find", bad)
	}
	want, err := reportOf(t, s.rootDir())
	if err != nil {
		t.Fatal(err)
	}
	seed := uint64(time.Now().UnixNano())
	random := rand.New(rand.NewPCG(seed, 0))
	for round := range 12 {
		root := filepath.Join(t.TempDir(), "runs")
		if err := os.CopyFS(root, os.DirFS(s.rootDir())); err != nil {
			t.Fatal(err)
		}
		what := fmt.Sprintf("seed %d, round %d: %s", seed, round, damageOne(t, root, random))
		bad := badFindings(t, root)
		got, err := reportOf(t, root)
		if (err != nil || got != want) && len(bad) == 0 {
			t.Errorf("%s: the report is another (%v), and doctor finds nothing", what, err)
		}
		var said bytes.Buffer
		a := &app{root: root, stderr: &said, executor: executorKinds()[0]}
		lost, err := a.repair(t.Context())
		if err != nil {
			t.Errorf("%s: repair: %v", what, err)
			continue
		}
		if got, err := reportOf(t, root); (err != nil || got != want) && len(lost) == 0 {
			t.Errorf("%s: the report of the repaired root is another (%v), and nothing is said to be lost:\n%s", what, err, said.String())
		}
		left := badFindings(t, root)
		left = slices.DeleteFunc(left, func(f finding) bool { return f.Check == "adapters" }) // which only training makes anew
		if len(left) > 0 {
			t.Errorf("%s: after the repair there is %+v", what, left)
		}
		if err := os.RemoveAll(root); err != nil {
			t.Fatal(err)
		}
	}
}

// TestRepairRemovesNothingElsewhere: what looks like a torn write and is not below the root's own folders stays, and so does what cannot be
// read for a reason that passes.
func TestRepairRemovesNothingElsewhere(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	root := filepath.Join(dir, "runs[12]") // a pattern, too
	const attempt = "trials/0123456789abcdef/1/"
	leftover := filepath.Join(root, attempt, ".spec.json.7")
	stay := []string{
		filepath.Join(dir, "runs1", attempt, ".spec.json.7"), filepath.Join(dir, "home", "1", ".ssh", "key"),
		filepath.Join(root, "trials", "notes", "1", ".git", "config"),
	}
	for _, path := range append(stay, leftover) {
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(filepath.Join(dir, "home"), filepath.Join(root, "trials", "fedcba9876543210")); err != nil {
		t.Fatal(err)
	}
	unreadable := filepath.Join(root, attempt, "checkpoints", "4.ckpt") // a folder fails as a disk does: not as what is damaged
	if err := os.MkdirAll(unreadable, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := (&app{root: root, stderr: &bytes.Buffer{}}).mendFiles(); err != nil {
		t.Fatal(err)
	}
	for _, path := range append(stay, unreadable) {
		if _, err := os.Stat(path); err != nil {
			t.Errorf("it was taken: %v", err)
		}
	}
	if _, err := os.Stat(leftover); err == nil {
		t.Error("what a torn write left stayed")
	}
}

// TestDoctorNamesAFileOnce: what is the matter with a file does not name it once more.
func TestDoctorNamesAFileOnce(t *testing.T) {
	t.Parallel()
	d := diagnosis{Root: "/r/runs"}
	const path = "/r/runs/trials/a/1/spec.json"
	if got := d.wrong(path, "read "+path+": damaged: cut off"); got != "trials/a/1/spec.json: damaged: cut off" {
		t.Errorf("it says %q", got)
	}
}

// badFindings are what doctor finds in a root and is not good.
func badFindings(t *testing.T, root string) []finding {
	t.Helper()
	d := diagnosis{Root: root}
	d.addSweeps(t.Context())
	return slices.DeleteFunc(d.Findings, func(f finding) bool { return f.State == findingOK })
}

func reportOf(t *testing.T, root string) (string, error) {
	t.Helper()
	code, stdout, stderr := sweepCommand(t, "report", "--root", root, "-o", "json")
	if code != exitOK {
		return "", fmt.Errorf("exit %d: %s", code, stderr)
	}
	return stdout, nil
}

// damageOne flips a bit of a random file that something relies on, or cuts it short.
func damageOne(t *testing.T, root string, random *rand.Rand) string {
	t.Helper()
	var files []string
	err := filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		unread := strings.HasSuffix(path, ".log") || strings.HasSuffix(path, ".lock") || strings.HasSuffix(path, "-shm") || e.Name() == "pid"
		if info, infoErr := e.Info(); err == nil && infoErr == nil && !e.IsDir() && !unread && info.Size() > 0 {
			files = append(files, path)
		}
		return err
	})
	if err != nil || len(files) == 0 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	path := files[random.IntN(len(files))]
	if database := filepath.Join(root, "sweep.db"); random.IntN(3) == 0 {
		path = database
	}
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	at := random.IntN(len(content))
	what := fmt.Sprintf("%s, bit %d of byte %d", path, at%8, at)
	if random.IntN(3) == 0 {
		content, what = content[:at], fmt.Sprintf("%s cut to %d bytes", path, at)
	} else {
		content[at] ^= 1 << (at % 8)
	}
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return what
}

// TestDoctorSaysWhereATrialGoesOn: from the checkpoint that is left, or from the start where none is.
func TestDoctorSaysWhereATrialGoesOn(t *testing.T) {
	t.Parallel()
	s := newTestSweep(t, backend.PlatformGo, 4000)
	cmd := s.start(s.command())
	var checkpoints []string
	for len(checkpoints) < 2 { // of one attempt the newest two are kept
		if attempts, _ := filepath.Glob(s.path("runs", "trials", "*", "1")); len(attempts) > 0 {
			checkpoints, _ = filepath.Glob(filepath.Join(attempts[0], "checkpoints", "step-*.ckpt"))
		}
		time.Sleep(10 * time.Millisecond)
	}
	_ = cmd.Process.Kill()
	cmd.wait()
	for len(s.workersAttempts()) > 0 {
		s.killWorkers()
		time.Sleep(10 * time.Millisecond)
	}
	checkpoints, err := filepath.Glob(filepath.Join(filepath.Dir(checkpoints[0]), "step-*.ckpt"))
	if err != nil {
		t.Fatal(err)
	}
	for i, path := range slices.Backward(checkpoints) {
		if err := os.Truncate(path, 100); err != nil {
			t.Fatal(err)
		}
		want := "begins again from the start"
		if i > 0 {
			var step int
			if _, err := fmt.Sscanf(filepath.Base(checkpoints[i-1]), "step-%d.ckpt", &step); err != nil {
				t.Fatal(err)
			}
			want = fmt.Sprintf("goes on from the good one of step %d;", step)
		}
		bad := badFindings(t, s.rootDir())
		at := slices.IndexFunc(bad, func(f finding) bool { return strings.Contains(f.Detail, filepath.Base(path)) })
		if at < 0 || !strings.Contains(bad[at].Fix, want) {
			t.Errorf("with %s damaged doctor finds %+v, want it to say %q", path, bad, want)
		}
	}
}

// TestDoctorMissesAdapters: a trial that is done and whose adapter is gone is told, with the command that trains it again; one whose
// adapter was pruned is not, though the sweep is to go on.
func TestDoctorMissesAdapters(t *testing.T) {
	t.Parallel()
	s := newTestSweep(t, backend.PlatformGo, 4)
	s.finish()
	code, stdout, stderr := sweepCommand(t, "prune", "--yes", "--root", s.rootDir())
	if bad := badFindings(t, s.rootDir()); code != exitOK || len(bad) > 0 {
		t.Fatalf("prune: exit %d\n%s%s\nafter it doctor finds %+v", code, stdout, stderr, bad)
	}
	adapters, err := filepath.Glob(s.path("runs", "trials", "*", "*", "adapter"))
	if err != nil || len(adapters) == 0 || len(adapters) > 4 {
		t.Fatalf("adapters %v, %v", adapters, err)
	}
	marks, err := filepath.Glob(s.path("runs", "trials", "*", "*", prunedMark))
	if err != nil || len(marks)+len(adapters) != 6 {
		t.Fatalf("%v: %d adapters are marked as pruned, and %d are there", err, len(marks), len(adapters))
	}
	s.ends(exitOK, "its adapter is gone", "retry", string(trialOf(filepath.Dir(marks[0]))))
	if bad := badFindings(t, s.rootDir()); len(bad) > 0 {
		t.Fatalf("once a pruned trial is to be tried again doctor finds %+v", bad)
	}
	if err := os.RemoveAll(adapters[0]); err != nil {
		t.Fatal(err)
	}
	id := string(trialOf(filepath.Dir(adapters[0])))
	bad := badFindings(t, s.rootDir())
	if len(bad) != 1 || !strings.Contains(bad[0].Detail, id) || !strings.HasPrefix(bad[0].Fix, "sweep retry "+id) {
		t.Errorf("without %s doctor finds %+v", adapters[0], bad)
	}
}

// TestRunAfterALostDatabase: it knows the sweep as it was, what was asked of it and when it was begun, and trains nothing again.
func TestRunAfterALostDatabase(t *testing.T) {
	t.Parallel()
	s := newTestSweep(t, backend.PlatformGo, 4)
	s.finish()
	before, _ := s.snapshot()
	for what, lose := range map[string]func(path string) error{
		"is gone": os.Remove, "is empty": func(path string) error { return os.Truncate(path, 0) },
	} {
		if err := lose(s.path("runs", "sweep.db")); err != nil {
			t.Fatal(err)
		}
		if what == "is empty" {
			s.ends(exitNotFound, "doctor --repair", "resume")
		}
		r := s.start(s.command())
		if code := r.wait(); code != exitOK || !strings.Contains(r.said.String(), "a new one was made of its trials' folders") {
			t.Errorf("run where sweep.db %s: exit %d, it said %s", what, code, r.said.String())
		}
		after, _ := s.snapshot()
		if !after.Sweep.Created.Equal(before.Sweep.Created) {
			t.Errorf("where sweep.db %s the sweep of %s is of %s", what, before.Sweep.Created, after.Sweep.Created)
		}
		if attempts := s.attempts(); attempts != 6 {
			t.Errorf("%d attempts, want those of before", attempts)
		}
	}
}

// TestRepairEndsWithWhatIsLost: facts that neither the folders nor the database hold are findings, and the exit code says so; repaired
// again, nothing is found any more.
func TestRepairEndsWithWhatIsLost(t *testing.T) {
	t.Parallel()
	s := newTestSweep(t, backend.PlatformGo, 4)
	s.finish()
	logs, err := filepath.Glob(s.path("runs", "trials", "*", "1", "events.jsonl"))
	if err != nil || len(logs) == 0 {
		t.Fatalf("logs %v, %v", logs, err)
	}
	content, err := os.ReadFile(logs[0])
	if err != nil {
		t.Fatal(err)
	}
	content[len(content)-100] ^= 1 // of its outcome
	err = errors.Join(os.WriteFile(logs[0], content, 0o600), os.Remove(s.path("runs", "sweep.db")))
	if err != nil {
		t.Fatal(err)
	}
	args := []string{"doctor", "--repair", "--backend", "go", "--root", s.rootDir()}
	code, stdout, stderr := sweepCommand(t, args...)
	if code != exitError || !strings.Contains(stdout, "problem  lost      what attempt") || !strings.Contains(stderr, "mended: ") {
		t.Errorf("repair: exit %d, want 1\n%s%s", code, stdout, stderr)
	}
	if code, stdout, stderr := sweepCommand(t, args...); code != exitOK || strings.Contains(stdout, "problem") {
		t.Errorf("repair again: exit %d, want 0\n%s%s", code, stdout, stderr)
	}
	records, err := filepath.Glob(s.path("runs", "trials", "*", "*", "sweep-*.json.gz"))
	if err != nil || len(records) == 0 {
		t.Fatalf("records %v, %v", records, err)
	}
	for _, path := range append(records, s.path("runs", "sweep.db")) {
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
	if code, stdout, stderr := sweepCommand(t, args...); code != exitError || !strings.Contains(stdout, "problem  lost ") {
		t.Errorf("repair without records: exit %d, want 1\n%s%s", code, stdout, stderr)
	}
}

// TestDoctorNamesLinks: what lies elsewhere because of a link that is followed is told.
func TestDoctorNamesLinks(t *testing.T) {
	t.Parallel()
	root, elsewhere := t.TempDir(), t.TempDir()
	for _, name := range []string{"trials", "cache", "sweep.db"} {
		if err := os.Symlink(elsewhere, filepath.Join(root, name)); err != nil {
			t.Fatal(err)
		}
		found := slices.ContainsFunc(badFindings(t, root), func(f finding) bool {
			return f.Check == "links" && strings.HasPrefix(f.Detail, name+" is a link to "+elsewhere)
		})
		if !found {
			t.Errorf("%s: doctor does not tell where it leads", name)
		}
	}
}

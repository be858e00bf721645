package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ranksweep/ranksweep/cmd/sweep/disktest"
	"github.com/ranksweep/ranksweep/store"
	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/plateau"
	"github.com/ranksweep/ranksweep/sweep/trial"
	"github.com/ranksweep/ranksweep/trainer/backend"
)

// waiting is the name of a sweep that nothing was trained of: no folder has it, the database alone does.
const waiting = "waiting"

// TestRepairCut cuts sweep doctor --repair off at its syncs, as kill -9 does and as a power cut does, and has it done again or the sweep
// go on: then all is there that was there before, and the sweep ends as if nothing had been.
func TestRepairCut(t *testing.T) {
	t.Parallel()
	if !disktest.Own(t, binaryVariable+"="+sweepBinary(t)) {
		return
	}
	whole := newTestSweep(t, backend.PlatformGo, 10)
	whole.finish()
	want := whole.proof()
	seed := seedOf(t)
	for name, test := range map[string]struct {
		spoil func(t *testing.T, root string)
		keeps bool // the database is sound: what it alone knows stays
	}{
		"no database":                        {loseDatabase, false},
		"a damaged database":                 {damageDatabase, false},
		"a log says something else":          {contradictDatabase, true},
		"a damaged log":                      {damageLog, true},
		"a damaged log, a damaged database":  {both(damageLog, damageDatabase), false},
		"a damaged log, one that says other": {both(damageLog, contradictDatabase), true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			spoilt := filepath.Join(t.TempDir(), "spoilt")
			root := filepath.Join(spoilt, "runs")
			if err := os.CopyFS(root, os.DirFS(whole.rootDir())); err != nil {
				t.Fatal(err)
			}
			addWaiting(t, root)
			test.spoil(t, root)
			cuts := recordCuts(t, whole, spoilt, func(s *testSweep) ([]byte, error) {
				out, err := s.sweep("doctor", "--repair", "--backend", "go").CombinedOutput()
				if strings.Contains(string(out), "problem  lost ") {
					err = nil
				}
				return out, err
			})
			chosen := cutsOfRepair(t, cuts)
			t.Logf("%d syncs, %d cuts of them, from seed %d", len(cuts)/2, len(chosen), seed)
			for n, c := range chosen {
				loss := []disktest.Loss{disktest.LoseNothing, disktest.LoseAll, disktest.LoseNothing, disktest.KeepScattered}[n%4]
				repairAfterCut(t, whole, c, loss, seed+uint64(n), n%3 == 2, test.keeps, want)
			}
		})
	}
}

// TestRepairOnAFailingDisk: a disk that cannot read the database for a while, which SQLite calls damage, is no reason to replace it.
func TestRepairOnAFailingDisk(t *testing.T) {
	t.Parallel()
	if !disktest.Own(t, binaryVariable+"="+sweepBinary(t)) {
		return
	}
	whole := newTestSweep(t, backend.PlatformGo, 10)
	whole.finish()
	want := whole.proof()
	for good := range 4 { // so many reads succeed first
		dir, back := t.TempDir(), t.TempDir()
		disk, err := disktest.Mount(dir)
		if err != nil {
			t.Skipf("SKIPPED: %v", err)
		}
		if err := disk.Load(whole.dir); err != nil {
			t.Fatal(err)
		}
		left := good
		disk.Fail(func(asked disktest.Op, path string) syscall.Errno {
			if asked != disktest.Read || path != "runs/sweep.db" {
				return 0
			}
			if left--; left >= 0 {
				return 0
			}
			return syscall.EIO
		})
		s := *whole
		s.t, s.root = t, filepath.Join(dir, "runs")
		out, err := s.sweep("doctor", "--repair", "--backend", "go").CombinedOutput()
		disk.Fail(nil)
		if left < 0 && err == nil {
			t.Errorf("reads fail after %d: the repair says nothing of it:\n%s", good, out)
		}
		if err := errors.Join(disk.Image().Restore(back, disktest.LoseNothing, 0), disk.Unmount()); err != nil {
			t.Fatal(err)
		}
		s.root = filepath.Join(back, "runs")
		if aside, err := filepath.Glob(filepath.Join(s.root, "sweep.db.damaged-*")); err != nil || len(aside) > 0 {
			t.Errorf("reads fail after %d: moved aside: %v, %v\n%s", good, aside, err, out)
		}
		s.mend("a disk that failed")
		s.mustEqual(want, "a disk that failed")
	}
}

// cutsOfRepair are some of the cuts, or all: those around each step that the root shows. Of what is made in scratch folders two stand for
// all.
func cutsOfRepair(t *testing.T, cuts []cut) []cut {
	t.Helper()
	const usual = 8
	inScratch := 0
	shown := slices.DeleteFunc(cuts, func(c cut) bool {
		if strings.Contains(c.at, "sweep.db.repair-") {
			inScratch++
			return inScratch != 7 && inScratch != 20
		}
		return false
	})
	if os.Getenv(cutsVariable) == "" && len(shown) > usual {
		return append(shown[:1:1], shown[len(shown)-usual+1:]...) // the last ones replace the database
	}
	return shown
}

// repairAfterCut goes on from what a cut leaves: by another repair, or by the sweep itself, which says where it needs one.
func repairAfterCut(
	t *testing.T, whole *testSweep, c cut, loss disktest.Loss, seed uint64, goOn, keeps bool, want proof,
) {
	t.Helper()
	what := fmt.Sprintf("a repair was cut off %s (%s, seed %d)", c.at, loss, seed)
	dir := t.TempDir()
	if err := c.image.Restore(dir, loss, seed); err != nil {
		t.Fatal(err)
	}
	s := *whole
	s.t, s.root, s.started = t, filepath.Join(dir, "runs"), true
	if goOn {
		s.goOn(what)
	}
	s.mend(what)
	if keeps && !slices.Contains(sweepsIn(t, s.root), waiting) {
		t.Errorf("%s: the sweep that only the database knew is gone", what)
	}
	if said, err := s.complete(); err != nil {
		t.Fatalf("%s: %v\n%s", what, err, said)
	}
	s.mustEqual(want, what)
	if !t.Failed() {
		_ = os.RemoveAll(dir)
	}
}

func sweepsIn(t *testing.T, root string) []string {
	t.Helper()
	db, err := store.OpenReadOnly(t.Context(), filepath.Join(root, "sweep.db"))
	if err != nil {
		t.Fatal(err)
	}
	names, err := db.Names(t.Context())
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	return names
}

func addWaiting(t *testing.T, root string) {
	t.Helper()
	db, err := store.Open(t.Context(), filepath.Join(root, "sweep.db"))
	if err != nil {
		t.Fatal(err)
	}
	_, err = db.CreateSweep(t.Context(), sweep.Info{
		Name: waiting, GridText: "name: waiting\n", GridHash: "hash", GridPath: "/grids/waiting.yaml", Strategy: sweep.StrategyLadder,
		Rule: plateau.DefaultRule(), Seeds: []int64{0}, Created: time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC),
	})
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
}

func both(one, other func(*testing.T, string)) func(*testing.T, string) {
	return func(t *testing.T, root string) {
		t.Helper()
		one(t, root)
		other(t, root)
	}
}

func loseDatabase(t *testing.T, root string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(root, "sweep.db*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range files {
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
}

// damageDatabase spoils every third page, as a bad disk does.
func damageDatabase(t *testing.T, root string) {
	t.Helper()
	rewrite(t, filepath.Join(root, "sweep.db"), func(text []byte) []byte {
		for page := 2; page < len(text)/4096; page += 3 {
			clear(text[page*4096 : page*4096+64])
		}
		return text
	})
}

// damageLog changes a digit in the middle of an attempt's log.
func damageLog(t *testing.T, root string) {
	t.Helper()
	rewrite(t, anyLog(t, root, 0), func(text []byte) []byte {
		at := len(text) / 2
		at += bytes.IndexAny(text[at:], "0123456789")
		text[at] = '0' + (text[at]-'0'+1)%10
		return text
	})
}

// contradictDatabase has an attempt's log say something else than the database.
func contradictDatabase(t *testing.T, root string) {
	t.Helper()
	rewrite(t, anyLog(t, root, 1), func(text []byte) (changed []byte) {
		events, _, err := trial.ParseEvents(bytes.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range events {
			if e.Prediction != nil {
				e.Prediction.PredictedBytes++
			}
			line, err := e.MarshalLine()
			if err != nil {
				t.Fatal(err)
			}
			changed = append(changed, line...)
		}
		return changed
	})
}

func anyLog(t *testing.T, root string, i int) string {
	t.Helper()
	logs, err := filepath.Glob(filepath.Join(root, "trials", "*", "*", trial.EventsFile))
	if err != nil || len(logs) <= i {
		t.Fatalf("%d logs, %v", len(logs), err)
	}
	return logs[i]
}

func rewrite(t *testing.T, path string, change func([]byte) []byte) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, change(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

package main

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/ranksweep/ranksweep/cmd/sweep/disktest"
	"github.com/ranksweep/ranksweep/sweep/trial"
	"github.com/ranksweep/ranksweep/trainer/backend"
)

// cutsVariable says at how many of its syncs a sweep loses its power: a number, or "all" (make powerloss).
const cutsVariable = "SWEEP_POWERLOSS_CUTS"

// cut is a moment at which the power may go, and what had been acknowledged by then.
type cut struct {
	at           string
	image        disktest.Image
	acknowledged map[string]bool // events that a worker had synced
}

// TestPowerLoss lets a real sweep work on a disk that keeps apart what was not synced, cuts its power just before and just after its syncs,
// and resumes from what each cut leaves.
func TestPowerLoss(t *testing.T) {
	t.Parallel()
	if !disktest.Own(t, binaryVariable+"="+sweepBinary(t)) {
		return
	}
	seed := seedOf(t)
	whole := newTestSweep(t, backend.PlatformGo, 10)
	whole.finish()
	want := whole.proof()
	cuts := recordCuts(t, whole, "", (*testSweep).complete)
	chosen := chooseCuts(t, len(cuts))
	t.Logf("%d syncs, %d cuts of them, from seed %d", len(cuts)/2, len(chosen), seed)
	for n, i := range chosen {
		// Before a sync all that was not synced is lost, after it some of it.
		loss := []disktest.Loss{disktest.LoseAll, disktest.KeepPrefix, disktest.LoseAll, disktest.KeepScattered}[i%4]
		twice := n%16 == 7
		t.Run(strconv.Itoa(i), func(t *testing.T) {
			t.Parallel()
			exerciseCut(t, whole, cuts[i], loss, seed+uint64(i), twice, want)
		})
	}
}

// recordCuts works on the sweep of whole once more, on a disk that begins with a folder's content, and returns two moments of each
// sync: before and after.
func recordCuts(t *testing.T, whole *testSweep, content string, work func(*testSweep) ([]byte, error)) []cut {
	t.Helper()
	dir := t.TempDir()
	disk, err := disktest.Mount(dir)
	if err != nil {
		t.Skipf("SKIPPED: %v", err)
	}
	if content != "" {
		err = disk.Load(content)
	}
	var cuts []cut
	acknowledged := map[string]bool{}
	disk.OnSync(func(m disktest.Moment) {
		at := fmt.Sprintf("sync %d, of %s", len(cuts)/2+1, m.Path)
		cuts = append(cuts, cut{at: "before " + at, image: m.Before, acknowledged: maps.Clone(acknowledged)})
		acknowledge(t, acknowledged, m)
		cuts = append(cuts, cut{at: "after " + at, image: m.After, acknowledged: maps.Clone(acknowledged)})
	})
	s := *whole
	s.t, s.root, s.started = t, filepath.Join(dir, "runs"), false
	if err == nil {
		_, err = work(&s) // nothing of this process looks at the disk
	}
	disk.OnSync(nil)
	if err := errors.Join(err, disk.Unmount()); err != nil {
		t.Error(err)
	}
	return cuts
}

// acknowledge adds the events that a sync has made durable.
func acknowledge(t *testing.T, acknowledged map[string]bool, m disktest.Moment) {
	t.Helper()
	dir, name := filepath.Split(m.Path)
	if name != trial.EventsFile {
		return
	}
	attempt := trial.AttemptID(strings.TrimPrefix(filepath.ToSlash(filepath.Clean(dir)), "runs/trials/"))
	events, _, err := trial.ParseEvents(bytes.NewReader(m.Content))
	if err != nil {
		t.Errorf("%s: %v", m.Path, err)
	}
	for _, e := range events {
		acknowledged[eventKey(attempt, e.Seq, e.Kind, e.Step)] = true
	}
}

// chooseCuts returns the cuts to try: all, or some at equal distances.
func chooseCuts(t *testing.T, cuts int) []int {
	t.Helper()
	wanted := 12
	switch text := os.Getenv(cutsVariable); text {
	case "":
	case "all":
		wanted = cuts
	default:
		var err error
		if wanted, err = strconv.Atoi(text); err != nil {
			t.Fatalf("%s: %v", cutsVariable, err)
		}
	}
	wanted = min(wanted, cuts)
	chosen := make([]int, wanted)
	for i := range chosen {
		chosen[i] = (2*i + 1) * cuts / (2 * wanted)
	}
	return chosen
}

// exerciseCut resumes from what a cut leaves, to the end. Where the power goes twice, it goes again while the sweep resumes.
func exerciseCut(t *testing.T, whole *testSweep, c cut, loss disktest.Loss, seed uint64, twice bool, want proof) {
	t.Helper()
	what := fmt.Sprintf("power lost %s (%s, seed %d)", c.at, loss, seed)
	dir := t.TempDir()
	least, left := filepath.Join(dir, "least"), filepath.Join(dir, "left")
	for path, l := range map[string]disktest.Loss{least: disktest.LoseAll, left: loss} {
		if err := c.image.Restore(path, l, seed); err != nil {
			t.Fatal(err)
		}
	}
	before := readLedger(t, filepath.Join(least, "runs"))
	if twice {
		if cuts := recordCuts(t, whole, left, (*testSweep).complete); len(cuts) > 0 {
			again := cuts[seed%uint64(len(cuts))]
			what += ", and again " + again.at
			left = filepath.Join(dir, "again")
			if err := again.image.Restore(left, disktest.KeepScattered, seed); err != nil {
				t.Fatal(err)
			}
			maps.Copy(c.acknowledged, again.acknowledged)
		}
	}
	s := *whole
	s.t, s.root, s.started = t, filepath.Join(left, "runs"), false
	if said, err := s.tryFinish(); err != nil {
		t.Fatalf("%s: %v\n%s", what, err, said)
	}
	s.mustEqual(want, what)
	after := readLedger(t, s.root)
	if lost := append(after.lacks(c.acknowledged), after.lacks(before.events)...); len(lost) > 0 {
		t.Errorf("%s: %d acknowledged events are lost: %v", what, len(lost), slices.Compact(lost))
	}
	for id := range before.done {
		if before.tries[id] != after.tries[id] {
			t.Errorf("%s: trial %s was done and was trained again", what, id)
		}
	}
	if !t.Failed() {
		_ = os.RemoveAll(dir) // a hundred of them fill a disk
	}
}

package main

import (
	"path/filepath"
	"slices"
	"testing"

	"github.com/ranksweep/ranksweep/cmd/sweep/disktest"
	"github.com/ranksweep/ranksweep/sweep/trial"
	"github.com/ranksweep/ranksweep/trainer/backend"
)

// TestPowerLossAfterRm removes a sweep that shares its trials with another one and cuts the power right after it: no folder has the record
// that would bring it back, and the trials stay.
func TestPowerLossAfterRm(t *testing.T) {
	t.Parallel()
	if !disktest.Own(t, binaryVariable+"="+sweepBinary(t)) {
		return
	}
	whole := newTestSweep(t, backend.PlatformGo, 4)
	whole.finish()
	whole.edit("name: test", "name: other")
	if out, err := whole.sweep("run", whole.path("grid.yaml"), "--backend", "go").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	content := filepath.Dir(whole.rootDir())
	if records := recordsBelow(t, content); len(records) != 2 {
		t.Fatalf("records %v, want those of two sweeps", records)
	}
	cuts := recordCuts(t, whole, content, func(s *testSweep) ([]byte, error) { return s.sweep("rm", "test", "--yes").CombinedOutput() })
	if len(cuts) == 0 {
		t.Fatal("rm syncs nothing")
	}
	left := filepath.Join(t.TempDir(), "left")
	if err := cuts[len(cuts)-1].image.Restore(left, disktest.LoseAll, 1); err != nil {
		t.Fatal(err)
	}
	logs, err := filepath.Glob(filepath.Join(left, "runs", "trials", "*", "*", trial.EventsFile))
	if records := recordsBelow(t, left); len(records) != 1 || len(logs) != 6 || err != nil {
		t.Errorf("once the power was cut %d logs are left and the records %v, %v; want those of one sweep", len(logs), records, err)
	}
}

// recordsBelow are the names of the records of sweeps in the folders of a root's trials, each once.
func recordsBelow(t *testing.T, dir string) (names []string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "runs", "trials", "*", "*", "sweep-*.json.gz"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range files {
		names = append(names, filepath.Base(path))
	}
	slices.Sort(names)
	return slices.Compact(names)
}

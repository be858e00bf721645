package store_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ranksweep/ranksweep/store"
	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/sweeptest"
)

// TestRecorderKeepsThreeCopies: of one record, and of the next once there is more to keep.
func TestRecorderKeepsThreeCopies(t *testing.T) {
	t.Parallel()
	db, id := climbed(t)
	root := t.TempDir()
	r := store.Recorder{DB: db, Sweep: id}
	beside := func(name string) []string {
		dir := filepath.Join(root, name)
		must(t, os.Mkdir(dir, 0o700))
		must(t, r.Beside(t.Context(), dir, moment(1)))
		files, err := filepath.Glob(filepath.Join(dir, "*"))
		must(t, err)
		return files
	}
	var first store.Record
	for i, name := range []string{"1", "2", "3"} {
		files := beside(name)
		if len(files) != 1 {
			t.Fatalf("beside attempt %s: %v, want one record", name, files)
		}
		record, err := store.ReadRecord(files[0])
		must(t, err)
		if i == 0 {
			first = record
		}
		if diff := cmp.Diff(first, record); diff != "" {
			t.Errorf("copy %s (-first +copy):\n%s", name, diff)
		}
	}
	if files := beside("4"); len(files) > 0 {
		t.Errorf("a fourth copy: %v", files)
	}
	must(t, db.Ask(t.Context(), id, sweep.RequestPause, moment(2)))
	if files := beside("5"); len(files) != 1 {
		t.Errorf("after a request: %v, want a record", files)
	}
	extra := sweeptest.Trial(16, 1, 7).Brief()
	planned := sweep.PlannedTrial{Trial: extra}
	must(t, db.AddTrials(t.Context(), snapshot(t, db, id).Ladders[0].ID, []sweep.ExtraTrial{{Rank: 1, PlannedTrial: planned}}))
	r.Renew()
	files := beside("6")
	if len(files) != 1 {
		t.Fatalf("after another trial: %v, want a record", files)
	}
	record, err := store.ReadRecord(files[0])
	must(t, err)
	if cmp.Equal(first.Tables, record.Tables) {
		t.Error("the record does not have the trial that was added")
	}
}

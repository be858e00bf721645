package store_test

import (
	"os"
	"testing"
	"time"

	"github.com/ranksweep/ranksweep/store"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

// TestReaderAndWriterDoNotBlock: while somebody reads for long, no write waits for it or fails, and other readers see what is new. The
// write-ahead log, which cannot be emptied meanwhile, is short again once the reader has gone.
func TestReaderAndWriterDoNotBlock(t *testing.T) {
	t.Parallel()
	db, id := registered(t)
	tr := registration().Ladders[0].Rungs[0].Trials[0].Trial
	launch(t, db, tr, 1, nil)
	reader, err := store.OpenReadOnly(t.Context(), db.Path())
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close() //nolint:errcheck // only read
	seq, slowest := int64(0), time.Duration(0)
	write := func(commits int) {
		t.Helper()
		for range commits {
			events := make([]trial.Event, 5)
			for i := range events {
				seq++
				events[i] = trial.Event{Seq: seq, At: moment(1), Kind: trial.EventPoint, Step: int(seq), Point: &trial.Point{Tokens: seq}}
			}
			began := time.Now()
			if err := db.AppendEvents(t.Context(), attempt(tr, 1), events); err != nil {
				t.Fatalf("event %d, while somebody reads: %v", seq, err)
			}
			slowest = max(slowest, time.Since(began))
		}
	}
	log := func() int64 {
		info, err := os.Stat(db.Path() + "-wal")
		if err != nil {
			t.Fatal(err)
		}
		return info.Size()
	}
	release, err := store.HoldReader(t.Context(), reader)
	if err != nil {
		t.Fatal(err)
	}
	write(600)
	if slowest >= 5*time.Second { // the busy timeout: then it waited
		t.Errorf("a write took %s while somebody read", slowest)
	}
	if step := snapshot(t, reader, id).Ladders[0].Rungs[0].Trials[0].LastStep; step != 3000 {
		t.Errorf("another reader sees step %d, want 3000", step)
	}
	held := log()
	if err := release(); err != nil {
		t.Fatal(err)
	}
	write(20)
	if after := log(); held < 5<<20 || after > 5<<20 {
		t.Errorf("the log took %d bytes while somebody read, and %d after that, want more and less than 5 MiB", held, after)
	}
}

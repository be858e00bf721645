package sweep_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ranksweep/ranksweep/sweep"
)

// fullStore stands on a disk that is full for an hour, or is locked for as long.
type fullStore struct {
	sweep.Store
	from, until time.Time
	writes      error // as which events are refused meanwhile; nil: they are not
	refused     int
	waits       []string // as heartbeats say it, each once
}

// full reports whether the disk is, and counts who asks.
func (f *fullStore) full() bool {
	now := time.Now()
	full := now.After(f.from) && now.Before(f.until)
	if full {
		f.refused++
	}
	return full
}

func (f *fullStore) Append(ctx context.Context, news ...sweep.News) error {
	if f.writes != nil && f.full() {
		return fmt.Errorf("append: %w", f.writes)
	}
	return f.Store.Append(ctx, news...)
}

func (f *fullStore) Heartbeat(ctx context.Context, session int64, now sweep.Instant, waits string) error {
	f.waits = append(f.waits, waits)
	return f.Store.Heartbeat(ctx, session, now, waits)
}

// TestFullDiskPausesASweep: a sweep waits while nothing can be written, or a trial has no room to be started, and goes on by itself. Its
// heartbeats and its progress say what it waits for.
func TestFullDiskPausesASweep(t *testing.T) {
	t.Parallel()
	for where, why := range map[string]string{
		"the database": "append: the disk is full", "the next trial": "is left", "limits.disk": "limits.disk is reached",
		"another's transaction": "another program keeps it locked",
	} {
		t.Run(where, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, trainer(), func(i *sweep.Info) {
					if where == "limits.disk" {
						i.Limits.Disk = 1 << 40
					}
				})
				began := time.Now()
				disk := &fullStore{
					Store: b.store, from: began.Add(time.Minute), until: began.Add(time.Hour),
					writes: map[string]error{"the database": sweep.ErrFull, "another's transaction": sweep.ErrBusy}[where],
				}
				var shown []string
				got, err := b.run(t.Context(), t, func(s *sweep.Scheduler) {
					s.Store = disk
					s.Progress = func(p sweep.Progress) { shown = append(shown, p.Waits) }
					switch where {
					case "limits.disk":
						s.Used = func() (int64, error) { return map[bool]int64{true: 1<<40 - 1<<20, false: 1 << 20}[disk.full()], nil }
					case "the next trial":
						s.Room = func() (int64, error) { return map[bool]int64{true: 1 << 20, false: 1 << 40}[disk.full()], nil }
					}
				})
				if err != nil {
					t.Fatal(err)
				}
				wantResults(t, uninterrupted(t, trainer()), got)
				if disk.refused == 0 || disk.refused > 3600/5+10 || len(b.exec.Starts()) != 30 {
					t.Errorf("%d refusals and %d starts, want one each 5 s of an hour at most, and 30", disk.refused, len(b.exec.Starts()))
				}
				mustWaitOnce(t, "heartbeats", disk.waits, why)
				mustWaitOnce(t, "progress", shown, why)
			})
		})
	}
}

// mustWaitOnce wants a wait between times without any.
func mustWaitOnce(t *testing.T, what string, waits []string, why string) {
	t.Helper()
	turns := 0
	for i, w := range waits {
		if w != "" && !strings.Contains(w, why) {
			t.Fatalf("%s: it waits for %q, want %q", what, w, why)
		}
		if i > 0 && (w == "") != (waits[i-1] == "") {
			turns++
		}
	}
	if turns != 2 || waits[0] != "" || waits[len(waits)-1] != "" {
		t.Errorf("%s: %d turns to a wait and back, want 2, the first and the last without", what, turns)
	}
}

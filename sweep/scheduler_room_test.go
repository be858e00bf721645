package sweep_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ranksweep/ranksweep/sweep"
)

// fullStore finds the disk full for an hour.
type fullStore struct {
	sweep.Store
	from, until time.Time
	refused     int
}

func (f *fullStore) Append(ctx context.Context, news ...sweep.News) error {
	if now := time.Now(); now.After(f.from) && now.Before(f.until) {
		f.refused++
		return fmt.Errorf("append: %w", sweep.ErrFull)
	}
	return f.Store.Append(ctx, news...)
}

// TestFullDiskPausesASweep: a sweep waits while nothing can be written, or a trial has no room to be started, and goes on by itself.
func TestFullDiskPausesASweep(t *testing.T) {
	t.Parallel()
	for _, where := range []string{"the database", "the next trial", "limits.disk"} {
		t.Run(where, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, trainer(), func(i *sweep.Info) {
					if where == "limits.disk" {
						i.Limits.Disk = 1 << 40
					}
				})
				began := time.Now()
				full := &fullStore{Store: b.store, from: began.Add(time.Minute), until: began.Add(time.Hour)}
				got, err := b.run(t.Context(), t, func(s *sweep.Scheduler) {
					if where == "the database" {
						s.Store = full
						return
					}
					if where == "limits.disk" {
						s.Used = func() (int64, error) {
							if now := time.Now(); now.After(full.from) && now.Before(full.until) {
								full.refused++
								return 1<<40 - 1<<20, nil
							}
							return 1 << 20, nil
						}
						return
					}
					s.Room = func() (int64, error) {
						if now := time.Now(); now.After(full.from) && now.Before(full.until) {
							full.refused++
							return 1 << 20, nil
						}
						return 1 << 40, nil
					}
				})
				if err != nil {
					t.Fatal(err)
				}
				wantResults(t, uninterrupted(t, trainer()), got)
				if full.refused == 0 || full.refused > 3600/5+10 || len(b.exec.Starts()) != 30 {
					t.Errorf("%d refusals and %d starts, want one each 5 s of an hour at most, and 30", full.refused, len(b.exec.Starts()))
				}
			})
		})
	}
}

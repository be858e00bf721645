package main

import (
	"context"
	"time"

	"github.com/ranksweep/ranksweep/store"
	"github.com/ranksweep/ranksweep/sweep"
)

// subject is a sweep that a person asks something of, whoever works on it.
type subject struct {
	db       *store.DB
	snapshot sweep.Snapshot
	worked   bool // a coordinator works on it
}

func (s subject) name() string { return s.snapshot.Sweep.Name }

// finished reports whether nothing is left to train.
func (s subject) finished() bool {
	return len(s.snapshot.Ladders) > 0 && sweep.Conclude(s.snapshot).Done
}

// asking finds the sweep of that name, or the latest, and lets do append what a person asks. It takes no lease.
func (a *app) asking(ctx context.Context, name string, do func(subject) error) error {
	return inSweep(ctx, a.openExistingStore, name, func(db *store.DB, info sweep.Info) (err error) {
		s := subject{db: db}
		if s.snapshot, err = db.Snapshot(ctx, info.ID); err != nil {
			return err
		}
		if s.worked, err = worked(ctx, db, info.ID); err != nil {
			return err
		}
		return do(s)
	})
}

// worked reports whether a coordinator works on the sweep.
func worked(ctx context.Context, db *store.DB, id int64) (bool, error) {
	holder, err := db.Holder(ctx, id)
	if err != nil {
		return false, err
	}
	c, err := newCoordinator(db, id, holder, time.Now())
	return c.works(), err
}

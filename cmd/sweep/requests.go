package main

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/ranksweep/ranksweep/store"
	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/report/prose"
	"github.com/ranksweep/ranksweep/sweep/trial"
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
	return inSweep(ctx, a.openExistingStore, name, func(db *store.DB, info sweep.Info) error { return askOf(ctx, db, info, do) })
}

// askingWorked is asking, but takes the sweep that a coordinator works on before the latest.
func (a *app) askingWorked(ctx context.Context, command, name string, do func(subject) error) error {
	return inSweep(ctx, a.openExistingStore, name, func(db *store.DB, info sweep.Info) error {
		if name != "" {
			return askOf(ctx, db, info, do)
		}
		all, err := workedSweeps(ctx, db)
		if err != nil {
			return err
		}
		if len(all) > 1 {
			var names []string
			for _, s := range all {
				names = append(names, s.Name)
			}
			return usagef("sweeps %s are worked on: name one: %s", prose.List(names), a.commandOn(command, "NAME"))
		}
		return askOf(ctx, db, append(all, info)[0], do)
	})
}

func askOf(ctx context.Context, db *store.DB, info sweep.Info, do func(subject) error) (err error) {
	s := subject{db: db}
	if s.snapshot, err = db.Snapshot(ctx, info.ID); err != nil {
		return err
	}
	if s.worked, err = worked(ctx, db, info.ID); err != nil {
		return err
	}
	return do(s)
}

// workedSweeps finds the sweeps that a coordinator works on, the oldest first.
func workedSweeps(ctx context.Context, db *store.DB) (all []sweep.Info, err error) {
	names, err := db.Names(ctx)
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		info, err := db.Find(ctx, name)
		if errors.Is(err, sweep.ErrNotFound) {
			continue // it was removed or renamed a moment ago
		}
		if err != nil {
			return nil, err
		}
		working, err := worked(ctx, db, info.ID)
		if err != nil {
			return nil, err
		}
		if working {
			all = append(all, info)
		}
	}
	return all, nil
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

// leftWorkers are the attempts of a sweep's trials whose workers live, but for those of another sweep that a coordinator works on.
func (a *app) leftWorkers(ctx context.Context, db *store.DB, s sweep.Snapshot) ([]trial.AttemptID, error) {
	all, err := workedSweeps(ctx, db)
	if err != nil {
		return nil, err
	}
	theirs := map[trial.AttemptID]bool{}
	s.Each(func(_ *sweep.Ladder, _ int, t *sweep.TrialFacts) {
		for _, at := range t.Attempts {
			theirs[at.ID] = slices.ContainsFunc(all, func(i sweep.Info) bool { return i.ID != s.Sweep.ID && i.Name == at.Sweep })
		}
	})
	open := slices.DeleteFunc(openAttempts(s), func(id trial.AttemptID) bool { return theirs[id] })
	return a.living(ctx, a.executor, open)
}

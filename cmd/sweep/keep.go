package main

import (
	"context"
	"errors"
	"path/filepath"
	"time"

	"github.com/ranksweep/ranksweep/store"
	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

// keeper keeps in attempts' folders what the database alone would know: doctor --repair makes a new database of it.
type keeper struct {
	store.Recorder
	root string
}

func (a *app) keeper(db *store.DB, sweepID int64) *keeper {
	return &keeper{Recorder: store.Recorder{DB: db, Sweep: sweepID}, root: a.root}
}

// keepingExecutor keeps the sweep's record beside attempts that start.
type keepingExecutor struct {
	sweep.Executor
	keeper *keeper
}

func (e keepingExecutor) Start(ctx context.Context, a trial.Assignment) error {
	if err := e.Executor.Start(ctx, a); err != nil {
		return err
	}
	// A worker is at work: what cannot be kept now is kept beside a later one, or at the session's end, which says why where it cannot.
	_ = e.keeper.Beside(ctx, a.Attempt.Dir(e.keeper.root), time.Now())
	return nil
}

// keepingStore keeps the coordinator's word on attempts that ended without one, once the database has it.
type keepingStore struct {
	sweep.Store
	root string
}

func (s keepingStore) AppendEvents(ctx context.Context, id trial.AttemptID, events []trial.Event) error {
	if err := s.Store.AppendEvents(ctx, id, events); err != nil || len(events) == 0 {
		return err
	}
	last := events[len(events)-1]
	if last.Kind != trial.EventEnded {
		return nil
	}
	dir := id.Dir(s.root)
	if trial.CheckFolder(dir) != nil { // its worker never started
		return nil
	}
	said, _, err := trial.ReadEvents(filepath.Join(dir, trial.EventsFile), 0)
	if err != nil && !errors.Is(err, trial.ErrDamaged) {
		return nil //nolint:nilerr // it is the database that a sweep goes on from
	}
	if len(said) == 0 || said[len(said)-1].Seq < last.Seq {
		_ = trial.WriteOutcome(dir, last) // likewise
	}
	return nil
}

package main

import (
	"context"
	"errors"
	"path/filepath"
	"time"

	"github.com/ranksweep/ranksweep/store"
	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/trial"
	"github.com/ranksweep/ranksweep/trainer/corpus"
)

// keeper keeps in attempts' folders what the database alone would know: doctor --repair makes a new database of it.
type keeper struct {
	store.Recorder
	root string
	say  func(format string, args ...any)
}

func (a *app) keeper(db *store.DB, sweepID int64) *keeper {
	return &keeper{Recorder: store.Recorder{DB: db, Sweep: sweepID}, root: a.root, say: a.say}
}

// keepAsked keeps what a person has just asked of a sweep: a database that is lost before the next trial starts would take it along.
// The whole record is written again: of 270,000 trials in 8 s (experiments/LOG.md, 2026-11-30), of some hundred at once.
func (a *app) keepAsked(ctx context.Context, db *store.DB, sweepID int64) {
	if err := a.keeper(db, sweepID).KeepLast(ctx, a.root, time.Now()); err != nil {
		a.say("warning: what you asked would be lost with the database: %v", err)
	}
}

// keepingExecutor keeps the sweep's record beside attempts that start, and what they read as it was made.
type keepingExecutor struct {
	sweep.Executor
	keeper *keeper
	inputs func() *inputs
}

func (e keepingExecutor) Start(ctx context.Context, a trial.Assignment) error {
	if a.Attempt.Number() > 1 { // an earlier one may have ended for that reason
		if err := e.mendCorpus(ctx, a); err != nil {
			return err
		}
	}
	if err := e.Executor.Start(ctx, a); err != nil {
		return err
	}
	// A worker is at work: what cannot be kept now is kept beside a later one, or at the session's end, which says why where it cannot.
	_ = e.keeper.Beside(ctx, a.Attempt.Dir(e.keeper.root), time.Now())
	return nil
}

// mendCorpus makes the corpus of an attempt anew where it is damaged.
func (e keepingExecutor) mendCorpus(ctx context.Context, a trial.Assignment) error {
	c, err := corpus.Open(a.Corpus.Path)
	if err == nil {
		return c.Close()
	}
	if !errors.Is(err, trial.ErrDamaged) {
		return err
	}
	e.keeper.say("%v; it is made anew", err)
	_, _, err = e.inputs().Corpus(ctx, a.Model, a.Trial.Spec.Data)
	return err
}

// keepingStore keeps the coordinator's word on attempts that ended without one, or for another cause than their worker could know, once the
// database has it.
type keepingStore struct {
	sweep.Store
	keeper *keeper
}

func (s keepingStore) AddTrials(ctx context.Context, ladder int64, trials []sweep.ExtraTrial) error {
	s.keeper.Renew()
	return s.Store.AddTrials(ctx, ladder, trials)
}

func (s keepingStore) Append(ctx context.Context, news ...sweep.News) error {
	if err := s.Store.Append(ctx, news...); err != nil {
		return err
	}
	for _, n := range news {
		if last := n.Events[len(n.Events)-1]; last.Kind == trial.EventEnded {
			keepWord(n.Attempt.Dir(s.keeper.root), last)
		}
	}
	return nil
}

// keepWord writes how an attempt ended where its worker did not say so. Where that fails nothing is wrong: a sweep goes on from the
// database.
func keepWord(dir string, last trial.Event) {
	if trial.CheckFolder(dir) != nil { // its worker never started
		return
	}
	said, _, err := trial.ReadEvents(filepath.Join(dir, trial.EventsFile), 0)
	if err != nil && !errors.Is(err, trial.ErrDamaged) {
		return
	}
	if n := len(said); n == 0 || said[n-1].Seq < last.Seq || said[n-1].Outcome != nil && said[n-1].Outcome.Cause != last.Outcome.Cause {
		_ = trial.WriteOutcome(dir, last)
	}
}

package main

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"time"

	"github.com/ranksweep/ranksweep/experiments/simulate/disk"
	"github.com/ranksweep/ranksweep/store"
	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/plateau"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

// ask is what a person does at a second terminal. Who pauses resumes later, and tries again where the disk refuses.
func (h *history) ask(ctx context.Context, f fault) {
	request := map[kind]sweep.RequestKind{
		personPauses: sweep.RequestPause, personResumes: sweep.RequestResume, personCancels: sweep.RequestCancel,
	}[f.kind]
	err := h.request(ctx, request)
	h.note("%s: %v", request, err)
	switch {
	case f.kind == personResumes && err != nil:
		h.then(personResumes, 5*time.Second)
	case f.kind == personResumes:
		h.paused = 0
	case f.kind == personPauses && err != nil:
		h.then(personResumes, f.size) // it may be written all the same
	case err != nil:
	case f.kind == personPauses:
		h.paused = h.took
		h.then(personResumes, f.size)
		if h.rng.IntN(3) == 0 {
			h.then(secondHost, f.size-time.Second) // whose person thinks that nobody works there
		}
	default:
		for _, c := range h.lives {
			if c.leads {
				c.told = h.took
			}
		}
	}
	h.checkRefusal(string(request), err)
}

// checkRefusal looks at why a person's command failed.
func (h *history) checkRefusal(what string, err error) {
	if err != nil && !errors.Is(err, sweep.ErrNotFound) && !h.lied && h.excused == "" {
		h.wrong("%s: %v", what, err)
	}
}

// then makes something happen after a while.
func (h *history) then(k kind, after time.Duration) {
	h.faults = append(slices.Clip(h.faults), fault{kind: k, at: h.took + after})
}

// mendable reports whether trials were lost that a retry brings back. One that was asked for already does not come back where its ladder
// has come to an end without it. One that nobody needs, for others of its rank ran out of memory sooner, leaves its ladder incomplete too.
func (h *history) mendable(s sweep.Snapshot, got outcome) (mendable bool) {
	s.Each(func(l *sweep.Ladder, _ int, t *sweep.TrialFacts) {
		want, known := h.want.trials[t.Trial.ID]
		state, verdict := got.trials[t.Trial.ID].state, got.verdicts[l.Index].State
		wanted := known && (h.retries(t) || verdict == plateau.StateRunning) || h.retries(t) && verdict == plateau.StateIncomplete
		mendable = mendable || h.lossy[t.Trial.ID] && wanted && state.Lost() && state != want.state
	})
	return mendable
}

// retries reports whether a person who retries what was lost names the trial.
func (h *history) retries(t *sweep.TrialFacts) bool {
	return h.lossy[t.Trial.ID] && (t.Retryable() || t.State() == sweep.TrialCrashed)
}

// retryFailed is what a person does who has mended why trials failed, and does not want to wait for those that rest; tries again where the
// disk refuses.
func (h *history) retryFailed(ctx context.Context) {
	var last []trial.AttemptID
	err := h.atTerminal(ctx, func(db *store.DB) error {
		s, err := db.Snapshot(ctx, h.id)
		if err != nil {
			return err
		}
		s.Each(func(_ *sweep.Ladder, _ int, t *sweep.TrialFacts) {
			if !h.retries(t) {
				return
			}
			if id := t.Attempts[len(t.Attempts)-1].ID; !slices.Contains(last, id) {
				last = append(last, id)
			}
		})
		if len(last) == 0 {
			return nil
		}
		return db.Retry(ctx, h.id, last, epoch.Add(h.took+h.shift))
	})
	h.note("retry %v: %v", last, err)
	if err != nil {
		h.then(personRetries, 5*time.Second)
		h.checkRefusal("retry", err)
		return
	}
	for id, known := range h.facts {
		known.forgiven = known.forgiven || slices.ContainsFunc(last, func(l trial.AttemptID) bool { return l.Trial() == id.Trial() })
	}
}

func (h *history) request(ctx context.Context, kind sweep.RequestKind) error {
	return h.atTerminal(ctx, func(db *store.DB) error { return db.Ask(ctx, h.id, kind, epoch.Add(h.took+h.shift)) })
}

// atTerminal does something with the database at a second terminal.
func (h *history) atTerminal(ctx context.Context, do func(*store.DB) error) (err error) {
	h.excused = ""
	p := h.disk.NewProcess()
	defer disk.Mount(h.folder("person"), p)()
	defer p.Kill()
	db, err := store.Open(ctx, filepath.Join(h.folder("person"), database))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	return do(db)
}

// shouldKnow reports whether a coordinator that nothing holds up has had the time to hear of what a person asked then. It listens every
// second, and acts on what it hears when it is back from waiting.
func (c *coordinator) shouldKnow(asked time.Duration) bool {
	return c.h.took-max(asked, c.thawed, c.since) > time.Second+2*c.h.lazy+time.Second
}

package main

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/plateau"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

// watchedStore is the database as a coordinator sees it: its calls are where the coordinator is killed, and what they acknowledge is
// held against all that is read later.
type watchedStore struct {
	sweep.Store
	c *coordinator
}

func (s *watchedStore) call(what string, effect func() error) error {
	c, h := s.c, s.c.h
	h.calls++
	if f, due := h.take(h.calls, freeze, freezeLosing, freezeGroup); due {
		h.note("%s is frozen at %s for %v", c, what, f.size)
		switch f.kind {
		case freezeLosing:
			h.rival(c, f.size/2)
			c.freeze(f.size)
		case freezeGroup:
			h.freezeGroup(c, f.size)
		default:
			c.freeze(f.size)
		}
		h.note("%s wakes up", c)
	}
	if _, due := h.take(h.calls, killBefore); due {
		h.note("killed before %s", what)
		c.die()
	}
	err := effect()
	h.pass()
	if c.process.Dead() {
		panic(errKilled)
	}
	if _, due := h.take(h.calls, killAfter, powerCall); due {
		h.note("killed after %s", what)
		c.die()
	}
	return err
}

func (s *watchedStore) Refresh(ctx context.Context, before sweep.Snapshot, anew ...int) (after sweep.Snapshot, err error) {
	err = s.call("Refresh", func() error {
		after, err = s.Store.Refresh(ctx, before, anew...)
		if err == nil {
			s.c.h.facts.check(s.c.h, after)
			s.c.h.checkElapsed(s.c, after.Sweep.Elapsed)
		}
		return err
	})
	return after, err
}

func (s *watchedStore) Register(ctx context.Context, id int64, r sweep.Registration) error {
	return s.call("Register", func() error { return s.Store.Register(ctx, id, r) })
}

func (s *watchedStore) AddTrials(ctx context.Context, ladder int64, trials []sweep.ExtraTrial) error {
	return s.call("AddTrials", func() error {
		err := s.Store.AddTrials(ctx, ladder, trials)
		if err == nil {
			s.c.h.drawn = append(s.c.h.drawn, drawn{ladder, trials})
		}
		return err
	})
}

// drawn are trials beside the grid's, of which a record is kept beside the folders of attempts.
type drawn struct {
	ladder int64
	trials []sweep.ExtraTrial
}

func (s *watchedStore) BeginAttempt(ctx context.Context, id trial.ID, n int, a trial.Assignment, at time.Time) error {
	return s.call("BeginAttempt", func() error {
		err := s.Store.BeginAttempt(ctx, id, n, a, at)
		if err == nil {
			s.c.h.facts.begun(trial.NewAttemptID(id, n))
			s.c.h.nobodys[trial.NewAttemptID(id, n)] = a.Sweep == ""
		}
		return err
	})
}

func (s *watchedStore) Append(ctx context.Context, news ...sweep.News) error {
	return s.call("Append", func() error {
		if err := s.Store.Append(ctx, news...); err != nil {
			return err
		}
		for _, n := range news {
			s.c.h.facts.appended(n.Attempt, n.Events)
			if o := n.Events[len(n.Events)-1].Outcome; o != nil {
				s.c.h.checkBlame(s.c, n.Attempt, *o)
				s.c.h.note("%s: %s %s", short(n.Attempt), o.State, o.Error)
			}
		}
		return nil
	})
}

func (s *watchedStore) Heartbeat(ctx context.Context, session int64, now sweep.Instant, waits string) error {
	return s.call("Heartbeat", func() error {
		err := s.Store.Heartbeat(ctx, session, now, waits)
		if err == nil {
			s.c.h.beat(s.c, session, now)
		}
		return err
	})
}

func (s *watchedStore) RecordVerdict(ctx context.Context, ladder int64, v plateau.Verdict, at time.Time) error {
	return s.call("RecordVerdict", func() error { return s.Store.RecordVerdict(ctx, ladder, v, at) })
}

// watchedExecutor is the machine's workers as a coordinator sees them.
type watchedExecutor struct{ c *coordinator }

var errMachine = errors.New("resource temporarily unavailable")

func (e *watchedExecutor) alive() {
	if e.c.process.Dead() {
		panic(errKilled)
	}
}

// Start implements sweep.Executor.
func (e *watchedExecutor) Start(ctx context.Context, a trial.Assignment) error {
	e.alive()
	c, h := e.c, e.c.h
	h.pass()
	h.starts++
	h.checkStart(ctx, c, a)
	f, _ := h.take(h.starts, workerCrash, workerHangs, workerDawdles, trialFails, workerDeaf, notStarted, lostReply, startFails)
	h.note("%s starts %s: rank %d, seed %d, to screen %v", c, short(a.Attempt), a.Trial.Spec.LoRA.Rank, a.Trial.Spec.Seed, a.Screen)
	if f.kind == startFails {
		return errMachine
	}
	h.fake.Script = h.script(f)
	err := h.fake.Start(ctx, a)
	h.grow(a)
	if f.kind == lostReply {
		return errMachine
	}
	return err
}

// Probe implements sweep.Executor.
func (e *watchedExecutor) Probe(ctx context.Context, id trial.AttemptID) (sweep.Process, error) {
	e.alive()
	c, h := e.c, e.c.h
	h.pass()
	h.probes++
	c.probed[id] = h.took
	if _, due := h.take(h.probes, probeFails); due {
		c.excuse = "a probe that failed"
		return sweep.Process{}, errMachine
	}
	p, err := h.fake.Probe(ctx, id)
	if _, dawdles := h.dawdles[id]; dawdles {
		p.Beat = int64(h.probes)
	}
	p.Alive = p.Alive || h.took < h.stale
	return p, err
}

// Events implements sweep.Executor. What a dead worker wrote is all there.
func (e *watchedExecutor) Events(ctx context.Context, id trial.AttemptID, after int64) ([]trial.Event, error) {
	e.alive()
	h := e.c.h
	h.pass()
	h.reads++
	if _, due := h.take(h.reads, readFails); due {
		return nil, errMachine
	}
	events, err := h.fake.Events(ctx, id, after)
	if len(events) == 0 || err != nil {
		return nil, err
	}
	if p, _ := h.fake.Probe(ctx, id); (p.Alive || h.took < h.stale) && h.took < h.late {
		events = events[:h.rng.IntN(len(events)+1)]
	}
	events = slices.Clone(events)
	for i := range events {
		events[i].At = events[i].At.Add(h.shift)
	}
	return events, nil
}

// Stop implements sweep.Executor.
func (e *watchedExecutor) Stop(ctx context.Context, id trial.AttemptID, kill bool) error {
	e.alive()
	h := e.c.h
	h.stops++
	h.note("%s stops %s, kill %v", e.c, short(id), kill)
	if f, due := h.take(h.stops, stopLost, stopFails); due {
		if f.kind == stopFails {
			e.c.excuse = "a stop that failed"
			return errMachine
		}
		return nil
	}
	if !h.heeds(id, kill) {
		return nil
	}
	return h.fake.Stop(ctx, id, kill)
}

// Trials implements sweep.Executor.
func (e *watchedExecutor) Trials(ctx context.Context) ([]trial.ID, error) {
	e.alive()
	return e.c.h.fake.Trials(ctx)
}

// Attempts implements sweep.Executor.
func (e *watchedExecutor) Attempts(ctx context.Context, id trial.ID) ([]trial.AttemptID, error) {
	e.alive()
	return e.c.h.fake.Attempts(ctx, id)
}

// noteHandler writes the scheduler's log into the history's.
type noteHandler struct{ h *history }

func (noteHandler) Enabled(context.Context, slog.Level) bool { return true }

func (n noteHandler) Handle(_ context.Context, r slog.Record) error {
	var b strings.Builder
	r.Attrs(func(a slog.Attr) bool {
		b.WriteString(" " + a.String())
		return true
	})
	n.h.note("  %s%s", r.Message, b.String())
	return nil
}

func (n noteHandler) WithAttrs([]slog.Attr) slog.Handler { return n }
func (n noteHandler) WithGroup(string) slog.Handler      { return n }

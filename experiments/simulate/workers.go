package main

import (
	"time"

	"github.com/ranksweep/ranksweep/sweep/sweeptest"
	"github.com/ranksweep/ranksweep/sweep/trial"
	"github.com/ranksweep/ranksweep/sweep/trial/cause"
)

const (
	hungAfter = 10 * time.Second // Scheduler.HungAfter: longer than workers that have exited seem to live
	forEver   = 1000 * time.Hour
	// endedBy is when a worker that goes no further has been ended: Scheduler waits for many of its longest pauses, and as long again where it
	// looks every other second.
	endedBy = 20 * time.Minute
)

// troubled are the workers that do not do as they should.
type troubled struct {
	stuck   map[trial.AttemptID]time.Duration // since when they go no further
	still   map[trial.AttemptID]time.Duration // until when they are frozen with their coordinator
	dawdles map[trial.AttemptID]time.Duration // likewise, and they look busy
	deaf    map[trial.AttemptID]bool          // to requests to end
	lossy   map[trial.ID]bool                 // trials that may end without a loss, so that a person retries them
}

// script is what the next worker writes, given what goes wrong with it.
func (h *history) script(f fault) sweeptest.Script {
	return func(a trial.Assignment, from int) []sweeptest.Line {
		lines := h.outgrows(a, h.trainer.Script(a, from))
		switch f.kind {
		case workerCrash:
			n := min(1+h.rng.IntN(20), len(lines))
			h.early[a.Attempt] = n < len(lines)
			return lines[:n]
		case notStarted:
			h.early[a.Attempt] = true
			return nil
		case workerHangs:
			return h.hang(a.Attempt, lines)
		case workerDawdles:
			return h.dawdle(a.Attempt, lines)
		case trialFails:
			return h.fail(a.Attempt, lines)
		case workerDeaf:
			h.deaf[a.Attempt] = true
		default:
		}
		return lines
	}
}

// hang lets a worker go no further after some of its lines, between two moments at which it writes. Half of those that
// hang heed no request.
func (h *history) hang(id trial.AttemptID, lines []sweeptest.Line) []sweeptest.Line {
	n := h.rng.IntN(len(lines))
	for n > 0 && n < len(lines) && lines[n].After == lines[n-1].After {
		n--
	}
	h.deaf[id] = h.rng.IntN(2) == 0
	h.stuck[id] = h.took
	h.slows(id)
	if n > 0 {
		h.stuck[id] += lines[n-1].After
	}
	h.note("%s hangs after %d of %d lines, deaf %v", short(id), n, len(lines), h.deaf[id])
	never := lines[len(lines)-1]
	never.After = forEver
	return append(lines[:n:n], never)
}

// dawdle lets a worker look busy for ever, where limits.trial_time ends it.
func (h *history) dawdle(id trial.AttemptID, lines []sweeptest.Line) []sweeptest.Line {
	if h.info.Limits.TrialTime == 0 {
		return lines
	}
	lines = h.hang(id, lines)
	h.dawdles[id], h.deaf[id] = h.stuck[id], true
	delete(h.stuck, id)
	return lines
}

// fail lets a worker meet an error after some of its lines, which will not come again once a person has mended it. A sweep whose time is
// limited may have none left for that.
func (h *history) fail(id trial.AttemptID, lines []sweeptest.Line) []sweeptest.Line {
	if h.info.Limits.Time > 0 {
		return lines
	}
	n := h.rng.IntN(len(lines))
	h.lossy[id.Trial()] = true
	h.then(personRetries, time.Duration(h.rng.Int64N(int64(20*time.Second))))
	return append(lines[:n:n], sweeptest.Line{After: lines[n].After, Event: trial.Event{Kind: trial.EventEnded, Outcome: &trial.Outcome{
		State: trial.OutcomeFailed, Cause: cause.Data, Error: "the data are not there",
	}}})
}

// slows takes note that a worker takes longer than it should, which limits.trial_time may end.
func (h *history) slows(id trial.AttemptID) {
	if h.info.Limits.TrialTime > 0 {
		h.lossy[id.Trial()] = true
	}
}

// freezeWorker stops a worker for a while, or for longer than anybody waits.
func (h *history) freezeWorker(d time.Duration) {
	ids, _ := h.fake.Alive()
	if len(ids) == 0 {
		return
	}
	id := ids[h.rng.IntN(len(ids))]
	if h.rng.IntN(2) == 0 {
		d = forEver
	}
	h.note("%s is frozen for %v", short(id), d)
	h.fake.Freeze(id, d)
	h.slows(id)
	if _, already := h.stuck[id]; !already {
		h.stuck[id] = h.took
	}
}

// freezeGroup stops a coordinator and all workers, as Ctrl-Z does. The workers, which are larger, take longer to go on.
func (h *history) freezeGroup(c *coordinator, d time.Duration) {
	ids, _ := h.fake.Alive()
	for _, id := range ids {
		h.slows(id)
		longer := d + time.Duration(h.rng.Int64N(int64(3*time.Second)))
		h.still[id] = h.took + longer
		h.fake.Freeze(id, longer)
	}
	c.freeze(d)
}

// meets lets a coordinator that begins meet the workers that another one's freeze left: to it they hang.
func (h *history) meets() {
	for id, until := range h.still {
		if _, already := h.stuck[id]; h.took < until && !already {
			h.stuck[id] = h.took
		}
	}
}

// checkBlame holds what a coordinator says of a worker's end against what happened to the worker.
func (h *history) checkBlame(c *coordinator, id trial.AttemptID, o trial.Outcome) {
	if _, stuck := h.stuck[id]; !stuck && o.Cause == cause.Hung {
		h.wrong("%s says of %s that %s, and it did not", c, short(id), o.Error)
	}
	if o.State == trial.OutcomeOverTime && !h.lossy[id.Trial()] {
		h.wrong("%s says of %s that %s, and it was no slower than the others", c, short(id), o.Error)
	}
	if h.crowded[id] && o.Cause == cause.Memory {
		h.wrong("%s says that %s ran out of memory alone, and others ran beside it", c, short(id))
	}
}

// checkStuck looks for workers that go no further and that a coordinator lets be.
func (h *history) checkStuck(c *coordinator, ids []trial.AttemptID) {
	for _, id := range ids {
		since, stuck := h.stuck[id]
		if at, dawdles := h.dawdles[id]; dawdles {
			since, stuck = at, true
		}
		if stuck && h.took-max(since, c.since, c.thawed) > endedBy {
			h.wrong("%s has gone no further since %v, and %s lets it be", short(id), since, c)
		}
	}
}

// heeds reports whether a worker does what it is asked to: nothing keeps it from being killed.
func (h *history) heeds(id trial.AttemptID, kill bool) bool { return kill || !h.deaf[id] }

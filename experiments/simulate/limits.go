package main

import (
	"math/rand/v2"
	"time"

	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/plateau"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

// times is what is known of how long a sweep has taken.
type times struct {
	spans   map[int64]time.Duration // of each session, what the database has acknowledged
	lived   time.Duration           // of the sessions that are over, what they took
	spentAt time.Duration           // when limits.time had run out; 0: it has not
}

// drawLimits draws limits of time. What they do depends on when things happen: see compare.
func (w *world) drawLimits(r *rand.Rand) {
	switch r.IntN(10) {
	case 0:
		w.info.Limits.Time = time.Second + time.Duration(r.Int64N(int64(15*time.Second)))
	case 1:
		w.info.Limits.TrialTime = 2*time.Second + time.Duration(r.Int64N(int64(20*time.Second)))
	}
}

// beat notes that the database has acknowledged how long a session has lasted by now.
func (h *history) beat(c *coordinator, session int64, now sweep.Instant) {
	h.spans[session] = now.Uptime - (c.since - c.began)
	if limit := h.info.Limits.Time; limit > 0 && h.spentAt == 0 && h.acknowledged() >= limit {
		h.spentAt = h.took
	}
}

// acknowledged is the time of all sessions that the database cannot have lost.
func (h *history) acknowledged() (sum time.Duration) {
	for _, s := range h.spans {
		sum += s
	}
	return sum
}

// checkElapsed holds the time that a sweep is said to have taken against what its sessions took, whatever the time of day was.
func (h *history) checkElapsed(c *coordinator, elapsed time.Duration) {
	c.elapsed = elapsed
	most := h.lived
	for _, o := range h.lives {
		if o.led {
			most += h.took - o.since
		}
	}
	if elapsed < h.acknowledged() || elapsed > most {
		h.wrong("%s reads that the sweep has taken %v, it took %v to %v", c, elapsed, h.acknowledged(), most)
	}
}

// checkTime holds a launch against limits.time. Who was frozen while it launched finishes what it has decided.
func (h *history) checkTime(c *coordinator, a trial.Assignment) {
	limit := h.info.Limits.Time
	if limit == 0 {
		return
	}
	late := h.acknowledged() - limit
	if c.elapsed >= limit || late > 10*time.Second && h.took-c.thawed > 5*time.Second {
		h.wrong("%s starts %s %v after limits.time of %v has run out", c, short(a.Attempt), max(late, c.elapsed-limit), limit)
	}
}

// checkSpent looks for workers that outlive limits.time.
func (h *history) checkSpent(c *coordinator, ids []trial.AttemptID) {
	for _, id := range ids {
		if h.spentAt > 0 && h.took-max(h.spentAt, c.since, c.thawed) > endedBy {
			h.wrong("%s lives, limits.time has run out at %v, and %s lets it be", short(id), h.spentAt, c)
		}
	}
}

// checkTimeLimited looks for a verdict that blames time that has not passed.
func (h *history) checkTimeLimited(o outcome) {
	for _, v := range o.verdicts {
		if v.State == plateau.StateTimeLimited && !o.spent && h.info.Limits.TrialTime == 0 {
			h.wrong("%s, and limits.time of %v has not run out", v.State, h.info.Limits.Time)
		}
	}
}

package sweep

import (
	"time"

	"github.com/ranksweep/ranksweep/sweep/trial"
	"github.com/ranksweep/ranksweep/sweep/trial/cause"
)

// lastWord is the outcome of a worker that ended without one: why, as far as anything tells.
func (r *run) lastWord(a *LiveAttempt, p Process, readErr error) *trial.Outcome {
	o := &trial.Outcome{State: trial.OutcomeCrashed, Step: a.Step, MicroBatch: a.microBatch}
	switch {
	case a.verdict != nil:
		o.State, o.Cause, o.Error = a.verdict.State, a.verdict.Cause, a.verdict.Error
		return o
	case r.killed:
		o.State, o.Error = trial.OutcomeInterrupted, "killed on request"
		return o
	case readErr != nil:
		o.Cause, o.Error = cause.Disk, "its events cannot be read: "+readErr.Error()
		return o
	}
	e := cause.Evidence{Exit: p.Exit, OOMKilled: p.OutOfMemory, Reason: p.Reason, Stderr: p.Stderr}
	if a.startError != nil {
		e.Start = a.startError.Error()
	}
	var line string
	o.Cause, line = cause.Of(e)
	if p.AskedTooLittle && o.Cause == cause.Memory {
		o.Cause = cause.MemoryAsked
	}
	o.Error = explained(o.Cause, line)
	return o
}

// explained is a cause in words, with the line that shows it and what to do.
func explained(c cause.Cause, line string) string {
	text := c.Words()
	if line != "" && (c != cause.Killed || line != "signal: killed") {
		text += ": " + line
	}
	if advice := c.Advice(); advice != "" {
		text += "; " + advice
	}
	return text
}

// inCompany tells an attempt that ran out of memory alone from one beside which others ran, of which the worker itself knows nothing.
func (a *LiveAttempt) inCompany(events []trial.Event) []trial.Event {
	for i, e := range events {
		if a.beside && e.Outcome != nil && e.Outcome.State == trial.OutcomeCrashed && e.Outcome.Cause == cause.Memory {
			shared := *e.Outcome
			shared.Cause = cause.MemoryShared
			events[i].Outcome = &shared
		}
	}
	return events
}

// ended is a trial whose last attempt has ended.
type ended struct {
	ladder int
	trial  trial.ID
}

// rest takes note of which trials rest from now on: those of which an attempt ended since the facts were read before. Those that a person
// asked to retry do not rest any longer.
func (r *run) rest() {
	for _, e := range r.ended {
		r.snapshot.Ladders[e.ladder].Each(func(_ int, t *TrialFacts) {
			if t.Trial.ID == e.trial {
				r.restOf(t)
			}
		})
	}
	r.ended = nil
	if last := r.snapshot.Sweep.Asked.Last; last != r.heard && len(r.rests) > 0 {
		r.snapshot.Each(func(_ *Ladder, _ int, t *TrialFacts) {
			if t.Rest() == 0 { // a person asked to retry it
				delete(r.rests, t.Trial.ID)
			}
		})
	}
	r.heard = r.snapshot.Sweep.Asked.Last
}

// restOf takes note of how long a trial still rests. Where its last attempt ended before this coordinator began, the time of day tells how
// long ago, and a clock that jumped makes the rest no longer than a whole one.
func (r *run) restOf(t *TrialFacts) {
	rest := t.Rest()
	if rest == 0 || t.State().Over() {
		return
	}
	now, last := r.Clock.Now(), t.Attempts[len(t.Attempts)-1]
	rest -= max(0, now.Wall.Sub(last.LastAt))
	if rest <= 0 {
		return
	}
	if r.rests == nil {
		r.rests = map[trial.ID]time.Duration{}
	}
	r.rests[t.Trial.ID] = now.Uptime + rest
	r.Log.Info("a trial rests before it is tried again", "trial", t.Trial.ID, "attempts", len(t.stuck()), "cause", last.Outcome.Cause,
		"rest", rest.Round(time.Second))
}

// capacity is what there is for trials now.
func (r *run) capacity() Capacity {
	c := r.Capacity
	c.Resting = make(map[trial.ID]bool, len(r.rests))
	for id := range r.rests {
		c.Resting[id] = true
	}
	return c
}

// wake ends the rests that are over, which a decision may have waited for.
func (r *run) wake() {
	for id, until := range r.rests {
		if r.now() >= until {
			delete(r.rests, id)
			r.stale = true
		}
	}
}

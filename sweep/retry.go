package sweep

import (
	"time"

	"github.com/ranksweep/ranksweep/sweep/trial"
	"github.com/ranksweep/ranksweep/sweep/trial/cause"
)

// What follows from the cause of an attempt's end. A cause that passes (cause.Cause.Passing) is the machine's: the trial is tried again
// from its checkpoint, after a rest that grows, and fails only after many attempts in a row that got it no further. Out of memory it is
// not tried again as it was: first alone, where others ran beside it, then once with half a batch in a forward pass, and then it is
// over. A crash of the program may be the trial's: it has fewer attempts. What is not finite, and an error of data or code, ends it at
// once.

// How many attempts in a row may end without getting a checkpoint further before their trial has failed.
const (
	passingLimit = 15 // for causes that pass: with the rests between them this takes 14 minutes at least
	crashLimit   = 5  // for others: enough for a fault that comes and goes, few enough to end
)

// The rest before an attempt is none after the first that got no further, then doubles.
const (
	firstRest   = time.Second
	longestRest = 2 * time.Minute
)

// stuck are the last attempts that all crashed and got no checkpoint further than those before them.
func (t *TrialFacts) stuck() []AttemptFacts {
	n := len(t.Attempts)
	for n > 0 {
		a := &t.Attempts[n-1]
		if a.Outcome == nil || a.Outcome.State != trial.OutcomeCrashed || a.CheckpointStep > furthest(t.Attempts[:n-1]) {
			break
		}
		n--
	}
	return t.Attempts[n:]
}

// crashedOut reports whether too many attempts in a row got no further.
func (t *TrialFacts) crashedOut() bool {
	passing, others := 0, 0
	for _, a := range t.stuck() {
		switch {
		case a.Outcome.Cause.Passing():
			passing++
		case a.Outcome.Cause != cause.Memory: // which ends by itself: see shape
			others++
		}
	}
	return passing >= passingLimit || others >= crashLimit
}

// Rest is how long the trial is left alone after its last attempt, for the machine to recover.
func (t *TrialFacts) Rest() time.Duration {
	n := len(t.stuck())
	if n < 2 {
		return 0
	}
	return min(longestRest, firstRest<<min(n-2, 30))
}

// shape is how a trial that ran out of memory is tried again.
type shape struct {
	alone bool // with no other trial on the machine
	half  bool // with half a batch in a forward pass
	over  bool // not at all: it ran out of memory so as well
}

// shape follows from the attempts that ran out of memory.
func (t *TrialFacts) shape() shape {
	var s shape
	for i := range t.Attempts {
		o := t.Attempts[i].Outcome
		if o == nil || o.State != trial.OutcomeCrashed {
			continue
		}
		switch {
		case o.Cause == cause.MemoryShared:
			s.alone = true
		case o.Cause == cause.Memory && (o.MicroBatch > 0 || t.Trial.Shared.Spec.Train.BatchSize == 1):
			s.over = true
		case o.Cause == cause.Memory:
			s.alone, s.half = true, true
		}
	}
	return s
}

// microBatch is how many sequences a forward pass of a trial takes; 0 means whole batches. It is half a batch where the trial ran out of
// memory with whole ones, or another of its rung or a lower one did: a higher rank needs no less.
func (c startable) microBatch() int {
	half := c.trial.shape().half
	if c.rung != NoRung {
		for _, r := range c.standing.ladder.Rungs[:c.rung+1] {
			for i := range r.Trials {
				half = half || r.Trials[i].Candidate == c.trial.Candidate && r.Trials[i].shape().half
			}
		}
	}
	if !half {
		return 0
	}
	return c.trial.Trial.Shared.Spec.Train.HalfBatch()
}

package track

import (
	"context"
	"time"

	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

const (
	freshEvery = 2 * time.Second  // how old what a tool shows may be
	freshMost  = time.Minute      // likewise of a sweep so large that looking takes long
	share      = 10               // of the time that looking takes: the rest belongs to training
	retryFirst = 2 * time.Second  // after the first failure; it doubles with each
	retryMost  = 5 * time.Minute  // a tool that is back is found so soon
	lastWell   = 30 * time.Second // how long the last look may take
	lastAway   = 2 * time.Second  // likewise where the tool was away
)

// Store is what a Follower reads.
type Store interface {
	Refresh(ctx context.Context, s sweep.Snapshot, anew ...int) (sweep.Snapshot, error)
	CurveEvents(ctx context.Context, id trial.ID) ([]sweep.CurveEvent, error)
}

// Follower keeps one tool up to date with one sweep.
type Follower struct {
	Store Store
	Sweep int64 // its id
	Sink  Sink
	Name  string                           // for messages: no secret is in it
	Say   func(format string, args ...any) // tells a person

	snapshot sweep.Snapshot
	decider  sweep.Decider
	failures int // in a row
	unsent   int
}

// Look brings the tool up to date once.
func (f *Follower) Look(ctx context.Context) (unsent int, err error) {
	if f.snapshot.Sweep.ID == 0 {
		f.snapshot.Sweep.ID = f.Sweep
	}
	if f.snapshot, err = f.Store.Refresh(ctx, f.snapshot); err != nil {
		return f.unsent, err
	}
	facts := Facts{Snapshot: f.snapshot, Curve: f.Store.CurveEvents}
	if len(f.snapshot.Ladders) > 0 {
		d := f.decider.Decide(f.snapshot, nil, sweep.Capacity{Jobs: 1})
		facts.Verdicts, facts.Done = d.Verdicts, d.Done
	}
	f.unsent, err = f.Sink.Sync(ctx, facts)
	return f.unsent, err
}

// Follow keeps the tool up to date until ctx ends, and then looks once more, which takes at most half a minute, or 2 seconds where the
// tool was away; closing kill ends that too. A sink may first await a request that must not be given up. It returns how much is unsent
// then, and why.
func (f *Follower) Follow(ctx context.Context, kill <-chan struct{}) (unsent int, err error) {
	for ctx.Err() == nil {
		begun := time.Now()
		f.step(ctx)
		select {
		case <-ctx.Done():
		case <-time.After(f.pause(time.Since(begun))):
		}
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), f.patience())
	defer cancel()
	go func() {
		select {
		case <-kill:
			cancel()
		case <-last.Done():
		}
	}()
	return f.Look(last)
}

// step looks once, and says when a tool goes away and comes back.
func (f *Follower) step(ctx context.Context) {
	begun := time.Now()
	_, err := f.Look(ctx)
	switch {
	case ctx.Err() != nil:
		if err != nil && time.Since(begun) > lastAway { // it does not answer
			f.failures++
		}
	case err != nil:
		if f.failures == 0 {
			f.Say("warning: %s: %v; the sweep goes on, and what is unsent is tried again", f.Name, err)
		}
		f.failures++
	case f.failures > 0:
		f.Say("%s: up to date again", f.Name)
		f.failures = 0
	}
}

// pause is how long to wait after a look that took so long.
func (f *Follower) pause(took time.Duration) time.Duration {
	if f.failures > 0 {
		const doublings = 8 // more than reach retryMost
		return min(retryFirst<<min(f.failures-1, doublings), retryMost)
	}
	return min(max(freshEvery, (share-1)*took), freshMost)
}

func (f *Follower) patience() time.Duration {
	if f.failures > 0 {
		return lastAway
	}
	return lastWell
}

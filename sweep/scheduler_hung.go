package sweep

import (
	"context"
	"fmt"
	"time"

	"github.com/ranksweep/ranksweep/sweep/trial"
	"github.com/ranksweep/ranksweep/sweep/trial/cause"
)

const (
	// startsSlowly is how many times Scheduler.HungAfter a worker may take between two signs of life before it trains: a large model takes
	// minutes to be read and to be compiled, where nothing can be said meanwhile.
	startsSlowly = 3
	// pausesLong is how many of its own longest pauses a worker that trains may be silent, where that is more than Scheduler.HungAfter.
	pausesLong = 20
	// silencePerLook bounds what one look adds to a silence: while this process was stopped, or slow, nobody listened.
	silencePerLook = time.Second
)

// watch is what a coordinator knows of the time a worker takes.
type watch struct {
	foreign bool           // another sweep launched it, under that one's limits
	since   time.Duration  // uptime when it was started or adopted, or had its machine
	looked  time.Duration  // uptime of the last look
	beat    int64          // Process.Beat of then
	silence time.Duration  // without a sign of life, as far as this coordinator listened
	pause   time.Duration  // the longest silence that ended, once it trained
	leaveBy time.Duration  // uptime when it is killed, having been asked to end; 0 where it was not asked, or may take its time
	verdict *trial.Outcome // what to say of it should it end without a word; nil: what its end looks like
}

// watching is a watch that begins.
func (r *run) watching() watch { return watch{since: r.now(), looked: r.now()} }

// listen takes what a look at a living worker found. One that waits for a machine is no worker yet: its time begins when it has one.
func (a *LiveAttempt) listen(now time.Duration, p Process, news bool) {
	if a.Waiting = p.Waiting; p.Waiting {
		a.since, a.looked, a.silence = now, now, 0
		return
	}
	a.silence += min(now-a.looked, silencePerLook)
	if news || p.Beat != a.beat {
		if a.TrainLoss != nil {
			a.pause = max(a.pause, a.silence)
		}
		a.silence = 0
	}
	a.looked, a.beat = now, p.Beat
}

// patience is how long a worker may be silent.
func (r *run) patience(a *LiveAttempt) time.Duration {
	if a.TrainLoss == nil {
		return startsSlowly * r.HungAfter
	}
	return max(r.HungAfter, pausesLong*a.pause)
}

// leave is how long a worker may take to end once it was asked to: it ends between two batches and writes a checkpoint, which takes it
// no longer than twice what it was ever silent for.
func (a *LiveAttempt) leave() time.Duration { return exitPatience + 2*a.pause }

// overdue asks a living worker to end that hangs, or that has not ended its trial by limits.trial_time itself, and kills it where it does
// not end.
func (r *run) overdue(ctx context.Context, a *LiveAttempt) {
	now, limit := r.now(), r.snapshot.Sweep.Limits.TrialTime
	switch {
	case a.Outcome != nil || now < a.killAgain:
	case a.leaveBy > 0 && now >= a.leaveBy:
		r.Log.Warn("kill worker", "attempt", a.ID, "because", "it did not end when it was asked to")
		r.stop(ctx, []trial.AttemptID{a.ID}, true)
		a.leaveBy = now + exitPatience // should it not have been told
	case a.leaveBy > 0 || a.killAgain > 0:
	case r.HungAfter > 0 && a.silence >= r.patience(a):
		text := fmt.Sprintf("it hung: no step and no batch for %s", a.silence.Round(time.Second))
		r.dismiss(ctx, a, trial.Outcome{State: trial.OutcomeCrashed, Cause: cause.Hung, Error: text})
	case limit > 0 && !a.foreign && now-a.since >= limit+a.leave():
		text := fmt.Sprintf("limits.trial_time of %s was used up, and the worker did not end by itself", limit)
		r.dismiss(ctx, a, trial.Outcome{State: trial.OutcomeOverTime, Cause: cause.Time, Error: text})
	}
}

// dismiss asks a worker to end within its time, and keeps what is said of it should it end without a word.
func (r *run) dismiss(ctx context.Context, a *LiveAttempt, verdict trial.Outcome) {
	r.Log.Warn("stop worker", "attempt", a.ID, "because", verdict.Error)
	r.stop(ctx, []trial.AttemptID{a.ID}, false)
	a.leaveBy, a.verdict = r.now()+a.leave(), &verdict
}

// stopDecided asks the workers that a decision needs no more to end, each within its time.
func (r *run) stopDecided(ctx context.Context) {
	r.stop(ctx, r.decision.Stop, false)
	for _, a := range r.live {
		if a.Stopping && a.leaveBy == 0 && !r.interrupted {
			a.leaveBy = r.now() + a.leave()
			a.verdict = &trial.Outcome{State: trial.OutcomeInterrupted, Error: "killed, since it did not end when it was asked to"}
		}
	}
}

package sweep

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ranksweep/ranksweep/sweep/trial"
)

// LiveAttempt is a worker that runs, and its latest news.
type LiveAttempt struct {
	ID      trial.AttemptID
	Trial   trial.ID
	Ladder  int // index into Snapshot.Ladders
	Rank    int
	Seed    int64
	Started time.Time // by this coordinator, or when it adopted the worker
	Adopted bool      // by this coordinator: another one started the worker

	Step, Steps  int
	Epochs       float64  // of all steps; 0 where the number of rows is not known
	ResumedAt    int      // the step it continued from
	Tokens       int64    // supervised tokens seen
	TrainLoss    *float64 // of the latest step; nil before the first
	LearningRate float64
	ValLoss      *float64       // of the latest evaluation; nil before the first
	Memory       trial.Memory   // the peak so far
	Predicted    int64          // bytes at the peak; 0 before its first step is compiled
	Waiting      bool           // its job waits for a machine
	Up           bool           // its process is up, and compiles
	Compiled     bool           // its first step is compiled: before, it starts up
	Ahead        bool           // no ladder waits for it yet: it trains on a job that would idle
	Stopping     bool           // it was asked to write its checkpoint and end
	Outcome      *trial.Outcome // its last word, while the process is still there

	watch
	seq        int64         // of the last event stored
	counted    int64         // of Tokens: those that the facts held when they were last read
	notBefore  time.Duration // uptime until which another sweep's coordinator may be about to start it: it is not taken for dead
	endedAt    time.Duration // uptime when its last word was read
	triedAt    time.Duration // uptime when its events were last to be read
	unread     time.Duration // for how long they could not be, as far as this coordinator tried
	killAgain  time.Duration // uptime when it is killed once more, should it live then; 0: it was not killed
	beside     bool          // other attempts ran at some time while it did
	microBatch int           // trial.Assignment.MicroBatch
	disk       int64         // bytes that it may write; 0: not known yet
	startError error         // from Executor.Start
}

func (r *run) ids() []trial.AttemptID {
	ids := make([]trial.AttemptID, len(r.live))
	for i, a := range r.live {
		ids[i] = a.ID
	}
	return ids
}

// collect stores what the workers say, of many at once, and lets go of those that are gone.
func (r *run) collect(ctx context.Context) error {
	var remaining []*LiveAttempt
	for rest := r.live; len(rest) > 0; {
		seen, err := r.hear(ctx, rest)
		for i := 0; i < len(seen) && err == nil; i++ {
			var gone bool
			switch gone, err = r.settle(ctx, rest[0], seen[i]); {
			case err != nil:
				continue
			case gone:
				r.letGo(rest[0])
			default:
				remaining = append(remaining, rest[0])
			}
			rest = rest[1:]
		}
		if err == nil {
			err = r.heartbeat(ctx, false)
		}
		if err != nil {
			r.live = append(remaining, rest...)
			return err
		}
	}
	r.live = remaining
	return nil
}

// letGo takes note of a worker that is gone.
func (r *run) letGo(a *LiveAttempt) {
	r.stale, r.changed = true, true
	r.gone = append(r.gone, *a)
	r.ended = append(r.ended, ended{a.Ladder, a.Trial})
}

// muchNews is how many events are stored at once, roughly: one transaction for all costs less than one for each attempt, and one that is
// too large keeps the session from being extended.
const muchNews = 2000

// sighting is what a look at a worker showed.
type sighting struct {
	process Process
	events  []trial.Event
	readErr error
}

// hear looks at the first of these workers, as many as have not much to say together, and stores it.
func (r *run) hear(ctx context.Context, live []*LiveAttempt) ([]sighting, error) {
	var seen []sighting
	var news []News
	events, several := 0, len(r.live) > 1 && !r.Capacity.Apart
	for _, a := range live {
		if events >= muchNews {
			break
		}
		a.beside = a.beside || several
		s, err := r.visit(ctx, a)
		if err != nil {
			return nil, err
		}
		seen = append(seen, s)
		if len(s.events) > 0 {
			events += len(s.events)
			news = append(news, News{a.ID, s.events})
		}
	}
	return seen, r.store(ctx, news)
}

// readPatience is how long a worker's events may be unreadable before it is given up: a program may be short of file descriptors, or of
// anything else, for a while. What a worker wrote before its end would be lost with it. What a dead one left damaged stays so.
const readPatience = 30 * time.Second

// visit looks at an attempt. The worker is probed before its events are read: once it is dead nothing follows what is then read.
func (r *run) visit(ctx context.Context, a *LiveAttempt) (sighting, error) {
	process, err := r.Exec.Probe(ctx, a.ID)
	if err != nil {
		return sighting{}, fmt.Errorf("probe attempt %s: %w", a.ID, err)
	}
	events, readErr := r.Exec.Events(ctx, a.ID, a.seq)
	return sighting{process, a.inCompany(events), readErr}, nil
}

// settle takes a look in, of which the events are stored, and reports whether the worker is gone. An attempt without a last word gets one
// here, under the next number.
func (r *run) settle(ctx context.Context, a *LiveAttempt, s sighting) (gone bool, err error) {
	process, readErr := s.process, s.readErr
	r.take(a, s.events)
	a.unread, a.triedAt = a.unread+min(r.now()-a.triedAt, silencePerLook), r.now()
	if readErr == nil {
		a.unread = 0
	}
	patient := readErr != nil && !r.killed && a.unread < readPatience && (process.Alive || !errors.Is(readErr, trial.ErrDamaged))
	if process.Alive {
		a.startError = nil
		r.changed = r.changed || a.Waiting != process.Waiting
		a.listen(r.now(), process, len(s.events) > 0)
		r.overdue(ctx, a)
		if patient {
			readErr = nil
		}
		return false, r.hurry(ctx, a, readErr)
	}
	if a.Outcome != nil {
		return true, nil
	}
	if patient {
		a.notBefore = r.now() + tickEvery
	}
	if r.now() < a.notBefore {
		return false, nil
	}
	last := trial.Event{Seq: a.seq + 1, At: r.wall(), Kind: trial.EventEnded, Step: a.Step, Outcome: r.lastWord(a, process, readErr)}
	r.Log.Debug("worker gone", "attempt", a.ID, "outcome", last.Outcome.State, "cause", last.Outcome.Cause, "error", last.Outcome.Error)
	said := a.inCompany([]trial.Event{last})
	if err := r.store(ctx, []News{{a.ID, said}}); err != nil {
		return false, err
	}
	r.take(a, said)
	return true, nil
}

// hurry asks a worker to end that has had its last word but does not exit, and kills it where it does not end then. One whose events cannot
// be read is killed at once: it is of no use.
func (r *run) hurry(ctx context.Context, a *LiveAttempt, readErr error) error {
	var since time.Duration // its last word
	if a.Outcome != nil {
		since = r.now() - a.endedAt
	}
	late := since >= exitPatience+termPatience
	if r.now() < a.killAgain || !late && readErr == nil {
		if since >= exitPatience {
			r.stop(ctx, []trial.AttemptID{a.ID}, false)
		}
		return nil
	}
	a.killAgain = r.now() + exitPatience
	r.Log.Warn("kill worker", "attempt", a.ID, "late", late, "error", readErr)
	if err := r.Exec.Stop(ctx, a.ID, true); err != nil {
		return fmt.Errorf("kill attempt %s: %w", a.ID, err)
	}
	return nil
}

// store appends events.
func (r *run) store(ctx context.Context, news []News) error {
	if len(news) == 0 {
		return nil
	}
	if err := r.Store.Append(ctx, news...); err != nil {
		return fmt.Errorf("store events of attempt %s and %d others: %w", news[0].Attempt, len(news)-1, err)
	}
	return nil
}

// take takes the news of an attempt's events that are stored.
func (r *run) take(a *LiveAttempt, events []trial.Event) {
	for _, e := range events {
		r.changed = true
		if a.take(e, r.now()) {
			r.stale = true
		}
	}
}

// take updates the attempt's news, read at an uptime, and reports whether the event bears on decisions.
func (a *LiveAttempt) take(e trial.Event, now time.Duration) bool {
	a.seq = e.Seq
	a.Step = max(a.Step, e.Step)
	switch e.Kind {
	case trial.EventCheckpoint, trial.EventScreened, trial.EventUpdates:
	case trial.EventStarted:
		a.Up = true
	case trial.EventMemory:
		a.Memory = *e.Memory
	case trial.EventPredicted:
		a.Compiled, a.Predicted = true, e.Prediction.PredictedBytes
		return true
	case trial.EventResumed:
		a.ResumedAt = e.Step
	case trial.EventPoint:
		a.Compiled = true
		a.Tokens, a.TrainLoss, a.LearningRate = e.Point.Tokens, &e.Point.TrainLoss, e.Point.LearningRate
	case trial.EventEval:
		a.ValLoss = &e.Evaluation.ValLoss
	case trial.EventEnded:
		a.Outcome, a.endedAt = e.Outcome, now
		return true
	}
	return false
}

// stop asks workers to end, each once, or kills them. One that cannot be told is tried again at the next decision.
func (r *run) stop(ctx context.Context, ids []trial.AttemptID, kill bool) {
	wanted := make(map[trial.AttemptID]bool, len(ids))
	for _, id := range ids {
		wanted[id] = true
	}
	for _, a := range r.live {
		if !wanted[a.ID] || (a.Stopping || a.killAgain > 0) && !kill {
			continue
		}
		if err := r.Exec.Stop(ctx, a.ID, kill); err != nil {
			r.Log.Warn("stop worker", "attempt", a.ID, "error", err)
			continue
		}
		a.Stopping, r.changed = true, true
		if kill {
			a.killAgain = r.now() + exitPatience
			a.leaveBy = a.killAgain
		}
	}
}

// show tells Progress what happened, if anything did.
func (r *run) show() {
	if !r.changed || r.Progress == nil {
		return
	}
	p := Progress{Snapshot: r.snapshot, Verdicts: r.decision.Verdicts, References: r.decision.References, Gone: r.gone, Waits: r.waits}
	r.changed, r.gone = false, nil
	ahead := make(map[trial.ID]bool, len(r.decision.Ahead))
	for _, id := range r.decision.Ahead {
		ahead[id] = true
	}
	for _, a := range r.live {
		live := *a
		live.Ahead = ahead[a.Trial]
		p.Live = append(p.Live, live)
	}
	r.Scheduler.Progress(p)
}

package sweep

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"slices"
	"time"

	"github.com/ranksweep/ranksweep/sweep/plateau"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

// ErrInterrupted says that a sweep was stopped before it was done and can be resumed.
var ErrInterrupted = errors.New("interrupted; sweep resume continues")

const (
	tickEvery      = 250 * time.Millisecond // how often what workers say is stored
	probeEvery     = 10 * time.Millisecond  // how often it is seen whether one has gone, which frees its job,
	probeEach      = 25 * time.Microsecond  // and so long at least for each that lives: with 10,000 of them, as often as they are read
	decidesFor     = 20                     // times what a decision takes, at least, pass until the next: a large sweep decides less often
	heartbeatEvery = 5 * time.Second        // how often the session is extended
	exitPatience   = 30 * time.Second       // how long a worker may take to exit after its last word
	termPatience   = 5 * time.Second        // how long it may take once it was asked to then: it has nothing left to write
)

// Scheduler works a sweep off: it starts workers, collects their events into the store, and asks Decide what is next. It
// keeps nothing that a crash could lose: a successor finds the living workers again and continues from the store.
type Scheduler struct {
	Store    Store
	Exec     Executor
	Capacity Capacity
	Root     string // attempts' folders lie below it
	Clock    Clock  // by which the session was started
	// HungAfter is how long a worker may show no sign of life before it is ended and its trial is tried again, and longer for one that starts
	// or that is slow; 0 means for ever. See scheduler_hung.go.
	HungAfter time.Duration
	// Room returns the bytes that the disk has left for Root; nil: enough.
	Room func() (int64, error)
	// Used returns the bytes that Root takes, for limits.disk; nil: none.
	Used func() (int64, error)
	Log  *slog.Logger
	// Progress is called from Run whenever something happened that a person may want to see; nil means nobody looks. It must
	// not block.
	Progress func(Progress)
	// Kill, once closed, kills the workers instead of waiting for their checkpoints. It matters after ctx is cancelled.
	Kill <-chan struct{}
	// Refused is the newest grid that the sweep was to be extended by and that could not be registered: it is not tried again.
	Refused int64
}

// Progress is what a running sweep looks like at one moment.
type Progress struct {
	Snapshot Snapshot          // as of the last decision: it lacks the newest points and evaluations, which Live has
	Verdicts []plateau.Verdict // one per ladder, in order
	// References are those of Decision.
	References []int
	Live       []LiveAttempt
	Gone       []LiveAttempt // whose workers have gone since the last Progress, with their Outcome
	Waits      string        // for what before anything new is started, as room on the disk; empty: for nothing
}

// Run works a sweep off under a session until every ladder has a verdict, and returns the final facts. It goes on from the facts that are
// known: from none but Sweep.ID it reads all. No trial may have been added since they were read.
//
// When ctx is cancelled it asks the workers to write their checkpoints, waits for them, and returns ErrInterrupted. When the
// store fails, the lease is lost (ErrLocked), or another grid waits to be registered (ErrExtended), it returns at once and leaves the
// workers alone: they go on, and the next coordinator adopts them. What a person asks meanwhile it does within about a second: see Asked.
func (s *Scheduler) Run(ctx context.Context, known Snapshot, session int64) (Snapshot, error) {
	if s.Clock == nil {
		return Snapshot{}, errors.New("a scheduler needs the clock that its session was started by")
	}
	if s.Capacity.Jobs < 1 {
		return Snapshot{}, fmt.Errorf("jobs %d: want at least 1", s.Capacity.Jobs)
	}
	work := context.WithoutCancel(ctx) // an interruption must not tear a write
	r := &run{
		Scheduler: s, id: known.Sweep.ID, session: session, snapshot: known, beat: s.Clock.Now().Uptime, cancelled: ctx.Done(), kill: s.Kill,
	}
	if err := r.recover(work); err != nil {
		return r.snapshot, fmt.Errorf("recover sweep %d: %w", r.id, err)
	}
	return r.snapshot, r.loop(work)
}

// loop ticks until the sweep is done, or ended by a person or an error.
func (r *run) loop(ctx context.Context) error {
	ticked := -tickEvery
	for {
		asked, err := r.signalled(ctx)
		if err != nil {
			return err
		}
		if asked || r.now() >= r.waitUntil && (r.now()-ticked >= tickEvery || r.someGone(ctx)) {
			ticked = r.now()
			done, err := r.tick(ctx)
			switch {
			case passes(err) && !r.interrupted:
				if err := r.waitOut(ctx, err); err != nil {
					return err
				}
			case done || err != nil:
				return err
			}
		}
		select {
		case <-r.Clock.After(max(probeEvery, time.Duration(len(r.live))*probeEach)):
		case <-r.cancelled:
		case <-r.kill:
		}
	}
}

// now is the clock's uptime.
func (r *run) now() time.Duration { return r.Clock.Now().Uptime }

// wall is the time of day, for records.
func (r *run) wall() time.Time { return r.Clock.Now().Wall }

// run is one coordinator's life.
type run struct {
	*Scheduler
	id, session int64
	snapshot    Snapshot
	decider     Decider
	decision    Decision
	live        []*LiveAttempt             // in the order they were started or adopted
	gone        []LiveAttempt              // since the last Progress
	ended       []ended                    // since the last decision
	rests       map[trial.ID]time.Duration // trials that are not tried again before this uptime
	heard       int64                      // the newest request that was taken into account for them
	beat        time.Duration              // uptime of the last heartbeat
	listened    time.Duration              // uptime when requests were last looked for
	seen        time.Duration              // of the last heartbeat that the snapshot knows of
	recorded    []plateau.Verdict          // one per ladder, the zero Verdict where none was
	stale       bool                       // facts changed that a decision may rest on
	decideAt    time.Duration              // uptime before which nothing is decided again
	changed     bool                       // something happened that Progress shows
	cancelled   <-chan struct{}            // closed when a person asks to stop; nil once that was heeded
	kill        <-chan struct{}            // Scheduler.Kill; nil once that was heeded
	used        *int64                     // what the root took at this decision; nil: not looked for yet
	waitUntil   time.Duration              // uptime before which nothing is tried, for want of what is waited for
	waits       string                     // what it waits for before it starts anything new; empty: nothing
	interrupted bool
	killed      bool
}

// someGone reports whether a worker is to be let go of. A probe that fails is left to the tick.
func (r *run) someGone(ctx context.Context) bool {
	return slices.ContainsFunc(r.live, func(a *LiveAttempt) bool {
		process, err := r.Exec.Probe(ctx, a.ID)
		return err == nil && !process.Alive && r.now() >= a.notBefore
	})
}

// tick looks at every worker once and acts on what they say. It reads what is new in the store only when a decision may change.
func (r *run) tick(ctx context.Context) (done bool, err error) {
	if err := r.heartbeat(ctx, false); err != nil {
		return false, err
	}
	if err := r.collect(ctx); err != nil {
		return false, err
	}
	r.wake()
	r.stale = r.stale || r.tokensRunOut()
	if err := r.listen(ctx); err != nil {
		return false, err
	}
	if r.stale && (r.interrupted || r.now() >= r.decideAt) {
		if err := r.decide(ctx); err != nil {
			return false, err
		}
		if err := r.waitNoMore(ctx); err != nil {
			return false, err
		}
	}
	r.show()
	if len(r.live) > 0 || !r.interrupted && !r.decision.Done {
		return false, nil
	}
	return r.finish(ctx)
}

// finish takes the final facts, and goes on where they say that there is more to do: a person has extended the sweep. An interruption that
// came as the last trial ended, or limits.time, changes nothing: what the ladders have come to is recorded, which nobody would do later.
func (r *run) finish(ctx context.Context) (done bool, err error) {
	if err := r.heartbeat(ctx, true); err != nil {
		return false, err
	}
	if err := r.look(ctx); err != nil {
		return false, err
	}
	switch {
	case len(r.live) == 0 && r.decision.Done:
		return true, r.record(ctx)
	case len(r.live) == 0 && r.interrupted:
		return true, ErrInterrupted
	}
	r.stale = true
	return false, nil
}

// heartbeat extends the session when it is time to, or now, or as limits.time runs out: what is known of it is known by heartbeats.
func (r *run) heartbeat(ctx context.Context, now bool) error {
	at := r.Clock.Now()
	if !now && at.Uptime-r.beat < heartbeatEvery && !r.timeRunsOut(at.Uptime) {
		return nil
	}
	if err := r.Store.Heartbeat(ctx, r.session, at, r.waits); err != nil {
		return fmt.Errorf("heartbeat of sweep %d: %w", r.id, err)
	}
	r.beat = at.Uptime
	r.stale = r.stale || r.timeNears()
	return nil
}

// decide reads the facts, asks Decide, and carries its decision out.
func (r *run) decide(ctx context.Context) error {
	if err := r.look(ctx); err != nil {
		return err
	}
	for len(r.decision.Register) > 0 && !r.interrupted {
		if err := r.draw(ctx); err != nil {
			return err
		}
		if err := r.look(ctx); err != nil {
			return err
		}
	}
	if err := r.record(ctx); err != nil || r.interrupted {
		return err
	}
	r.stopDecided(ctx)
	for _, l := range r.decision.Start {
		if _, err := r.signalled(ctx); err != nil || r.interrupted {
			return err
		}
		if err := r.heartbeat(ctx, false); err != nil { // there may be thousands
			return err
		}
		if err := r.room(l); err != nil {
			return err
		}
		if err := r.launch(ctx, l); err != nil {
			return err
		}
	}
	return nil
}

// look reads the facts and asks Decide.
func (r *run) look(ctx context.Context) error {
	began := r.now()
	defer func() { r.decideAt = r.now() + decidesFor*(r.now()-began) }()
	if err := r.refresh(ctx); err != nil {
		return err
	}
	r.seen, r.stale, r.changed = r.beat, false, true
	r.used = nil
	r.countTokens()
	r.rest()
	r.decision = r.decider.Decide(r.snapshot, r.ids(), r.capacity())
	return r.heed(ctx)
}

// refresh reads what is new, and watches the attempts among it. Trials were added to the ladders anew.
func (r *run) refresh(ctx context.Context, anew ...int) error {
	snapshot, err := r.Store.Refresh(ctx, r.snapshot, anew...)
	if err != nil {
		return fmt.Errorf("read sweep %d: %w", r.id, err)
	}
	before := r.snapshot
	if r.snapshot = snapshot; snapshot.Sweep.Asked != before.Sweep.Asked {
		r.recorded = nil // a verdict that was found before a wish does not count after it
	}
	r.adoptOpen(before)
	return nil
}

// draw registers the trials of extra seeds that the rule asked for, and scouts, and takes in what earlier coordinators left of them
// where the database was lost. A crash before the end is repaired by the same decision.
func (r *run) draw(ctx context.Context) error {
	var anew []int
	for _, d := range r.decision.Register {
		ladder := r.snapshot.Ladders[d.Ladder]
		anew = append(anew, d.Ladder)
		r.Log.Info("further trials", "ladder", ladder.Index+1, "trials", len(d.Trials))
		if err := r.Store.AddTrials(ctx, ladder.ID, d.Trials); err != nil {
			return fmt.Errorf("add trials to ladder %d: %w", ladder.Index+1, err)
		}
	}
	if err := r.refresh(ctx, anew...); err != nil {
		return err
	}
	added := func(t *TrialFacts) bool { return (t.Extra || t.Trial.Spec().Shrink != nil) && len(t.Attempts) == 0 }
	return r.snapshot.distinct(anew, added, func(ladder int, t *TrialFacts) error { return r.adoptFolders(ctx, ladder, t) })
}

// record appends the verdicts that are new.
func (r *run) record(ctx context.Context) error {
	r.recorded = slices.Grow(r.recorded, len(r.decision.Verdicts))[:len(r.decision.Verdicts)]
	for i, v := range r.decision.Verdicts {
		ladder := r.snapshot.Ladders[i]
		if v.State == plateau.StateRunning || sameVerdict(r.recorded[i], v) {
			continue
		}
		if _, err := r.signalled(ctx); err != nil || r.interrupted && !r.decision.Done { // of what is done nobody would record it later
			return err
		}
		if err := r.Store.RecordVerdict(ctx, ladder.ID, v, r.wall()); err != nil {
			return fmt.Errorf("record the verdict of ladder %d: %w", ladder.Index+1, err)
		}
		r.recorded[i] = v
		r.Log.Info("verdict", "ladder", ladder.Index+1, "state", v.State, "rank", v.RecommendedRank)
	}
	return nil
}

// sameVerdict is reflect.DeepEqual, quick for a verdict that was kept.
func sameVerdict(a, b plateau.Verdict) bool {
	kept := len(a.Rungs) > 0 && len(b.Rungs) > 0 && &a.Rungs[0] == &b.Rungs[0]
	return kept && a.State == b.State || reflect.DeepEqual(a, b)
}

// launch writes the intent, starts the worker, and watches it. A worker that does not start is a crashed attempt, found as
// such by the next look at it.
func (r *run) launch(ctx context.Context, l Launch) error {
	a, begun := r.assignment(l), r.now()
	if err := r.Store.BeginAttempt(ctx, l.Trial, l.Number, a, r.wall()); err != nil {
		return fmt.Errorf("begin attempt %s: %w", a.Attempt, err)
	}
	live := &LiveAttempt{
		ID: a.Attempt, Trial: l.Trial, Ladder: l.Ladder, Rank: l.Rank, Seed: a.Trial.Spec.Seed, Steps: a.Trial.Spec.TotalSteps(),
		Epochs: a.Trial.Spec.Train.EpochsAt(a.Trial.Spec.Train.Steps, a.Corpus.TrainSequences), Started: r.wall(), triedAt: r.now(),
		watch: r.watching(), microBatch: l.MicroBatch,
	}
	r.Log.Debug("start", "attempt", a.Attempt, "rank", l.Rank, "seed", live.Seed)
	if err := r.holds(ctx, begun); err != nil {
		return err
	}
	if err := r.Exec.Start(ctx, a); err != nil {
		live.startError = err
		r.Log.Warn("start worker", "attempt", a.Attempt, "error", err)
	}
	r.live = append(r.live, live)
	if err := r.holds(ctx, begun); err != nil {
		if errors.Is(err, ErrLocked) {
			r.stop(ctx, []trial.AttemptID{a.Attempt}, true) // nobody else knows of it
		}
		return err
	}
	return nil
}

// assignment is all that the worker of a launch is told.
func (r *run) assignment(l Launch) trial.Assignment {
	ladder, info := r.snapshot.Ladders[l.Ladder], r.snapshot.Sweep
	a := trial.Assignment{
		Attempt: trial.NewAttemptID(l.Trial, l.Number), Sweep: info.Name, Trial: ladder.trial(l.Trial), Model: ladder.Model,
		Corpus:   ladder.Corpus,
		Platform: info.Platform, PluginPath: info.PluginPath,
		SharedDevice: !l.Alone && r.Capacity.Devices > 0 && r.Capacity.Jobs > r.Capacity.Devices, MicroBatch: l.MicroBatch,
		MemoryLimit: r.Capacity.limit(info), TrialTime: info.Limits.TrialTime, Calibration: l.Calibration, Screen: l.Screen,
		ExpectedBytes: l.HostBytes, ExpectedSeconds: l.Seconds,
	}
	for _, id := range l.Checkpoints {
		a.Checkpoints = append(a.Checkpoints, id.Dir(r.Root))
	}
	return a
}

func (l Ladder) trial(id trial.ID) trial.Trial {
	for _, r := range l.Rungs {
		for _, t := range r.Trials {
			if t.Trial.ID == id {
				return t.Trial.Trial()
			}
		}
	}
	for _, t := range l.Scouts {
		if t.Trial.ID == id {
			return t.Trial.Trial()
		}
	}
	for _, t := range l.Reference {
		if t.Trial.ID == id {
			return t.Trial.Trial()
		}
	}
	panic(fmt.Sprintf("ladder %d has no trial %s", l.Index, id))
}

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/ranksweep/ranksweep/store"
	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/executor/cluster"
	"github.com/ranksweep/ranksweep/sweep/grid"
	"github.com/ranksweep/ranksweep/sweep/plateau"
	"github.com/ranksweep/ranksweep/sweep/report/prose"
	"github.com/ranksweep/ranksweep/sweep/trial"
	"github.com/ranksweep/ranksweep/trainer/backend"
)

// sayUnconfirmed names the ladders that stay likely although a person asked for certainty, and says why.
func (a *app) sayUnconfirmed(rule plateau.Rule, verdicts []plateau.Verdict) {
	for i, v := range verdicts {
		if rule.Confirm && v.State == plateau.StateLikelyPlateau {
			a.say("ladder %d stays a likely plateau with up to %d seeds per rank: %s", i+1, rule.MaxSeeds, prose.Reason(v))
		}
	}
}

// coordinate works a sweep off under its lease: reads the inputs, runs the scheduler until every ladder has a verdict, and
// prints the report. A sweep that is finished, with what info wishes for, only prints.
func (a *app) coordinate(ctx context.Context, db *store.DB, info sweep.Info, grid grid.Grid) (err error) {
	soft, kill, release := stopSignals(ctx)
	defer release()
	snapshot, err := db.Snapshot(soft, info.ID)
	if err != nil {
		return a.ended(soft, info.Name, err)
	}
	stored := snapshot.Sweep
	snapshot.Sweep.GridPath, snapshot.Sweep.Rule.Confirm, snapshot.Sweep.Rule.MaxSeeds = info.GridPath, info.Rule.Confirm, info.Rule.MaxSeeds
	done := len(snapshot.Ladders) > 0 && sweep.Conclude(snapshot).Done && snapshot.Sweep.Asked.Grid == 0
	if done {
		a.say("sweep %s is finished; nothing to train", info.Name)
	}
	if done && !wishes(info, stored) {
		release()                                                                   // what is left can be ended as any program
		a.startTracking(ctx, db, snapshot.Sweep, &switchWriter{w: a.stderr}, nil)() // what is unsent, if anything
		if err := a.endLeaving(ctx, db, snapshot); err != nil {
			a.say("warning: %v", err)
		}
		return a.conclude(ctx, snapshot)
	}
	process, err := store.ThisProcess(a.command)
	if err != nil {
		return err
	}
	session, err := db.StartSession(soft, info.ID, a.clock.Now(), process)
	if held, ok := errors.AsType[*store.HeldError](err); ok {
		return withCode(exitLocked, errors.New(a.heldBy(info.Name, held)))
	}
	if err != nil {
		return a.ended(soft, info.Name, err)
	}
	err = a.askItself(ctx, db, info, stored)
	hide := func() {}
	if err == nil && !done {
		hide, err = a.showLive(ctx, info.Name)
	}
	if err == nil && !done {
		snapshot, err = a.work(soft, kill, db, snapshot, grid, session)
	}
	err = a.leave(context.WithoutCancel(ctx), db, info.ID, session, err)
	hide()
	switch {
	case errors.Is(err, sweep.ErrInterrupted) && snapshot.Sweep.Asked.Cancelled:
		return withCode(exitInterrupted, fmt.Errorf("cancelled; nothing is lost: continue with: %s", a.resumeCommand(info.Name)))
	case err != nil:
		return a.ended(soft, info.Name, err)
	}
	return a.conclude(ctx, snapshot)
}

// endLeaving ends workers of a finished sweep that hang after their last word, unless a coordinator is there to do so. Those on a cluster
// are left to their jobs' time limits.
func (a *app) endLeaving(ctx context.Context, db *store.DB, s sweep.Snapshot) error {
	worked, err := db.Coordinated(s.Sweep.ID)
	if err != nil || worked || a.executor.cluster != nil {
		return err
	}
	workers, err := a.executor.open(a.root, sweep.Capacity{Jobs: 1})
	if err != nil {
		return err
	}
	left, err := sweep.EndLeaving(ctx, s, workers, a.clock, func(id trial.AttemptID) {
		a.say("the worker of attempt %s is done and has not ended: it is waited for, and then killed", id)
	})
	for _, id := range left {
		a.say("warning: the worker of attempt %s cannot be killed: look at its process", id)
	}
	return err
}

// askItself appends what whoever begins to work on a sweep asks of it by that: that it goes on, and what it wishes for.
func (a *app) askItself(ctx context.Context, db *store.DB, info, stored sweep.Info) (err error) {
	if stored.Asked.Paused {
		a.say("sweep %s was paused; it goes on", info.Name)
		err = db.Ask(ctx, info.ID, sweep.RequestResume, a.clock.Now().Wall)
	}
	if err == nil && wishes(info, stored) {
		err = db.Confirm(ctx, info.ID, info.Rule.MaxSeeds, time.Now().UTC())
	}
	if err == nil && (stored.Asked.Paused || wishes(info, stored)) {
		a.keepAsked(ctx, db, info.ID)
	}
	return err
}

// leave ends a session, whose work ended with err, and keeps what its folders are to know. Where it cannot be ended it ends with its last
// heartbeat, and what went wrong before says more, but not that the sweep was lost.
func (a *app) leave(ctx context.Context, db *store.DB, sweepID, session int64, err error) error {
	endErr := db.EndSession(ctx, session, a.clock.Now())
	switch {
	case err == nil:
		err = endErr
	case errors.Is(endErr, sweep.ErrLocked) && !errors.Is(err, sweep.ErrLocked):
		err = errors.Join(err, endErr)
	}
	if errors.Is(err, sweep.ErrLocked) {
		return err // its files are another's too
	}
	if errors.Is(err, store.ErrHalfRegistered) {
		return err // the folders know more
	}
	if keepErr := a.keeper(db, sweepID).KeepLast(ctx, a.root, time.Now()); keepErr != nil {
		a.say("warning: without its database this sweep could not be put together again: %v", keepErr)
	}
	return err
}

// ended gives what ended a sweep's work its exit code. An interruption may show as any error of what it interrupted.
func (a *app) ended(soft context.Context, name string, err error) error {
	no, refused := errors.AsType[*cluster.RefusedError](err)
	switch {
	case errors.Is(err, sweep.ErrLocked):
		return withCode(exitLocked, err)
	case refused:
		return a.refused(name, no)
	case errors.Is(err, sweep.ErrInterrupted), soft.Err() != nil:
		if !errors.Is(err, sweep.ErrInterrupted) && !errors.Is(err, context.Canceled) {
			a.say("%v", err)
		}
		return withCode(exitInterrupted, fmt.Errorf("interrupted; nothing is lost: continue with: %s", a.resumeCommand(name)))
	}
	return asUsage(err)
}

// work works a sweep off, and takes up the grids that it is extended by meanwhile. One that cannot be registered is said, and left.
func (a *app) work(ctx context.Context, kill <-chan struct{}, db *store.DB, s sweep.Snapshot, grid grid.Grid,
	session int64,
) (sweep.Snapshot, error) {
	c := crew{kill: kill, session: session}
	for {
		if waits := s.Sweep.Asked.Grid; waits > c.refused {
			extended, g, err := a.takeGrid(ctx, db, s, session)
			if err != nil && ctx.Err() == nil {
				a.say("the sweep goes on as it is: it cannot be extended: %v", err)
				c.refused = waits
			} else if err == nil {
				s, grid = extended, g
			}
		}
		var err error
		if s, err = a.workOn(ctx, db, s, grid, &c); !errors.Is(err, sweep.ErrExtended) {
			if err == nil && a.executor.cluster != nil {
				err = release(c.executor)
			}
			return s, err
		}
	}
}

// crew is what works for a coordinator, whatever grids it goes through.
type crew struct {
	kill     <-chan struct{}
	session  int64
	capacity sweep.Capacity
	executor sweep.Executor // nil until it is open
	refused  int64          // the newest grid that could not be taken up
	told     *progressLines // of it on stderr so far
}

// workOn reads the inputs, registers what they make, and schedules. Inputs that turn out invalid before anything was registered leave no
// sweep behind. Where what was read before still holds, nothing is read or registered twice: a large sweep takes seconds.
func (a *app) workOn(ctx context.Context, db *store.DB, s sweep.Snapshot, grid grid.Grid, c *crew) (sweep.Snapshot, error) {
	rest, fresh := a.keepAlive(ctx, db, c.session), len(s.Ladders) == 0
	choice, registration, err := a.expand(ctx, db, s, grid)
	switch {
	case err != nil:
	case s.Holds(registration):
		s, err = db.Current(ctx, s)
	default: // also on a resume: the same inputs may lie elsewhere now
		err, s = db.Register(ctx, s.Sweep.ID, registration), sweep.Snapshot{Sweep: s.Sweep}
	}
	rest()
	if err != nil {
		if fresh && ctx.Err() == nil {
			err = errors.Join(err, db.RemoveUnregistered(context.WithoutCancel(ctx), s.Sweep.ID))
		}
		return sweep.Snapshot{}, err
	}
	if c.executor == nil {
		if err := a.hire(ctx, db, s, choice, registration, c); err != nil {
			return sweep.Snapshot{}, err
		}
	}
	return a.schedule(ctx, db, s, c)
}

// hire finds out what the trials may use, and opens the executor that --executor says.
func (a *app) hire(ctx context.Context, db *store.DB, s sweep.Snapshot, choice backend.Choice, r sweep.Registration, c *crew) (err error) {
	parallel := r.Parallel()
	if s.Sweep.Strategy == sweep.StrategyCurve {
		parallel = r.Scouts()
	}
	rest := a.keepAlive(ctx, db, c.session)
	c.capacity, err = a.capacity(ctx, choice, r, parallel)
	if err == nil && a.executor.cluster != nil {
		err = a.findCluster(ctx)
	}
	rest()
	if err == nil {
		err = a.keepRanBy(ctx, db, s)
	}
	if err != nil {
		return err
	}
	if a.executor.cluster != nil {
		a.sayUnseen(choice, r)
		waiting, err := cluster.Waiting(a.root)
		for _, dir := range waiting { // which a pilot trains as they are
			err = errors.Join(err, checkSpec(dir))
		}
		if err != nil {
			return err
		}
	}
	c.executor, err = a.executor.open(a.root, c.capacity)
	return err
}

// schedule runs the scheduler from facts that are known.
func (a *app) schedule(ctx context.Context, db *store.DB, s sweep.Snapshot, c *crew) (sweep.Snapshot, error) {
	progress := a.newProgress()
	progress.lines.follow(c.told)
	c.told = progress.lines
	endTracking := a.startTracking(ctx, db, s.Sweep, progress.out, c.kill)
	defer endTracking()
	defer progress.stop()
	keeper := a.keeper(db, s.Sweep.ID)
	scheduler := sweep.Scheduler{
		Store: keepingStore{db, keeper}, Exec: fencedExecutor{keepingExecutor{c.executor, keeper, a.newInputs}, mayGoOn(db, c.executor)},
		Capacity: c.capacity, Root: a.root, Kill: c.kill, Clock: a.clock, HungAfter: a.hungAfter, Room: a.room, Used: a.used, Refused: c.refused,
		Log: progress.logger(), Progress: progress.show,
	}
	return scheduler.Run(ctx, s, c.session)
}

// keepAlive extends the session while something long goes on that is not the scheduler, which does so itself. A beat that
// fails is left to the scheduler's own, a moment later.
func (a *app) keepAlive(ctx context.Context, db *store.DB, session int64) (stop func()) {
	const every = 5 * time.Second
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		ticker := time.NewTicker(every)
		defer ticker.Stop()
		for {
			select {
			case <-ticker.C:
				_ = db.Heartbeat(ctx, session, a.clock.Now(), "")
			case <-done:
				return
			}
		}
	}()
	return func() { close(done); <-ended }
}

// conclude prints the report of a finished sweep; trials that failed for good give it its own exit code.
func (a *app) conclude(ctx context.Context, s sweep.Snapshot) error {
	verdicts := sweep.Conclude(s).Verdicts
	a.sayUnconfirmed(s.Sweep.Rule, verdicts)
	print := func(s sweep.Snapshot) error { return a.printReport(ctx, s) }
	if s.Sweep.Strategy == sweep.StrategyCurve {
		print = func(s sweep.Snapshot) error { return a.printScout(s, verdicts) }
	}
	if err := print(s); err != nil {
		return err
	}
	var failed []plateau.Failure
	for _, v := range verdicts {
		if v.State == plateau.StateIncomplete {
			failed = append(failed, v.Reason.Trials...)
		}
	}
	if len(failed) == 0 {
		return nil
	}
	of := ""
	if len(failed) > 1 {
		of = " of the first"
	}
	return withCode(exitIncomplete, fmt.Errorf("%s failed for good: see the report, and%s: %s", plural(len(failed), "trial"), of,
		a.commandOn("logs", failed[0].Trial)))
}

func (a *app) resumeCommand(name string) string { return a.commandOn("resume", name) }

// stopSignals returns a context that ends with the first SIGINT or SIGTERM, and a channel that is closed by the second.
func stopSignals(ctx context.Context) (soft context.Context, kill <-chan struct{}, release func()) {
	soft, cancel := context.WithCancel(ctx)
	signals, second, done := make(chan os.Signal, 2), make(chan struct{}), make(chan struct{})
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		for _, act := range []func(){cancel, func() { close(second) }} {
			select {
			case <-signals:
				act()
			case <-done:
				return
			}
		}
	}()
	return soft, second, sync.OnceFunc(func() {
		signal.Stop(signals)
		close(done)
		cancel()
	})
}

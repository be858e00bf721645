package cluster

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/executor/folders"
	"github.com/ranksweep/ranksweep/sweep/trial"
	"github.com/ranksweep/ranksweep/sweep/trial/cause"
)

// attempt is what this process knows of one; all of it can be learnt anew.
type attempt struct {
	id   trial.AttemptID
	dir  string
	mine bool // started by this process
	job  job  // zero until it is known

	jobless bool // its job.json is damaged, as told

	sight   sight
	looked  time.Duration // uptime of the last look at its folder
	fresh   bool          // nothing was learnt since that could be seen by another look
	since   time.Duration // uptime since when it has looked over and nothing has moved
	finding finding       // of then
	beat    int64         // trial.LastBeat
	seq     int64         // of the last event read
	given   int64         // the last event that Events has been told is known
	news    []trial.Event // read and not known
	damage  error         // of reading them
	process sweep.Process

	over bool
	wish wish // what the queue has still to be told
}

// wish is what a queue is asked to do with a job.
type wish int

const (
	wishNothing wish = iota
	wishStop
	wishKill
)

func (e *Executor) add(a *attempt) {
	if e.attempts == nil {
		e.attempts, e.batches = map[trial.AttemptID]*attempt{}, map[string]*batch{}
	}
	e.attempts[a.id] = a
	e.open++
}

// attempt returns what is known of one, and learns of those that an earlier coordinator has started. It is nil for one that never was.
func (e *Executor) attempt(id trial.AttemptID) (*attempt, error) {
	if a := e.attempts[id]; a != nil {
		return a, nil
	}
	a := &attempt{id: id, dir: id.Dir(e.Root)}
	names, err := list(a.dir)
	if errors.Is(err, fs.ErrNotExist) || err == nil && !names[trial.SpecFile] {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	e.add(a)
	e.asking.soon(e.now())
	return a, nil
}

const (
	lookEvery = time.Second          // how often an attempt's folder is looked at,
	lookEach  = 4 * time.Millisecond // and so long at least for each that lives: a file server may serve thousands
)

// look sees what is new of an attempt, where it is time to, and settles one that is over.
func (e *Executor) look(ctx context.Context, a *attempt) {
	now := e.now()
	if a.over || a.fresh && now-a.looked < max(lookEvery, time.Duration(e.open)*lookEach) {
		return
	}
	a.looked, a.fresh = now, true
	switch err := e.see(a); {
	case errors.Is(err, fs.ErrNotExist): // somebody removed its folder: nobody will hear of it
		a.finding, a.wish = finding{reason: err.Error()}, wishKill
		e.close(a)
		e.tellQueue(ctx)
	case err != nil:
		e.warn("read "+a.dir, err)
	}
	if a.over { // so, or it was given up
		return
	}
	f := a.sight.judge(e.late())
	if f.over != a.finding.over {
		a.since = now
	}
	a.finding = f
	a.process = sweep.Process{Alive: true, Beat: a.beat + a.seq, Waiting: f.waits}
	switch {
	case e.Observing:
		a.process.Alive = f.over == "" || e.quiet(a.dir) < f.patience
	case f.over == "" || now-a.since < f.patience || a.mine && !a.sight.handed:
	case f.byQueue && e.asking.heard-a.since < f.patience: // what it said a while ago may not hold any more
		e.asking.soon(now)
	case !e.again(ctx, a):
		e.settle(ctx, a)
	}
}

// see reads the attempt's folder, and what the queue says of its job.
func (e *Executor) see(a *attempt) error {
	before, beat, seq := a.sight.files(), a.beat, a.seq
	names, err := list(a.dir)
	if err != nil {
		return err
	}
	if a.job.Batch == "" && names[jobFile] && !a.mine { // of this process's it may be of a batch that could not be written
		if a.job, err = readJob(a.dir); err == nil {
			e.join(a, &batch{Batch: Batch{Name: a.job.Batch}})
		} else if errors.Is(err, trial.ErrDamaged) { // what its folder shows counts
			if !a.jobless {
				e.Log.Warn("which job of the queue has an attempt is not known", "attempt", a.id, "error", err)
			}
			a.jobless, err = true, nil
		}
	}
	if a.job.Batch != "" {
		a.sight.handed = true
		e.hear(a)
	}
	if names[claimFile] && !a.sight.claimed {
		err = errors.Join(err, e.seeClaim(a))
	}
	if names[exitFile] && a.sight.exit == "" {
		text, readErr := trial.ReadRegular(filepath.Join(a.dir, exitFile), trial.MostWord)
		a.sight.exit, err = strings.TrimSpace(string(text)), errors.Join(err, readErr)
	}
	if names[trial.EventsFile] && !a.over {
		e.seeEvents(a)
		a.sight.claimed = true
		if a.sight.foreign = !names[claimFile]; a.sight.foreign {
			held, lockErr := trial.WorkerAlive(a.dir)
			a.sight.held, err = held, errors.Join(err, lockErr)
		}
	}
	if before != a.sight.files() || beat != a.beat || seq != a.seq {
		a.since = e.now()
	}
	return err
}

// files is the part of a sight that comes from the folder.
func (s sight) files() sight {
	s.heard, s.found, s.job = false, false, Job{}
	return s
}

func (e *Executor) seeEvents(a *attempt) {
	a.beat = trial.LastBeat(a.dir)
	events, err := e.events.Events(e.Root, a.id, a.seq)
	a.news, a.damage = append(a.news, events...), err
	if n := len(events); n > 0 {
		a.seq = events[n-1].Seq
		a.sight.ended = events[n-1].Kind == trial.EventEnded
	}
}

// seeClaim learns whose the attempt is.
func (e *Executor) seeClaim(a *attempt) error {
	var c claim
	err := trial.ReadSealed(filepath.Join(a.dir, claimFile), &c)
	if c.Never != nil {
		return e.never(a, *c.Never)
	}
	a.sight.claimed = true // if it cannot be read: by one that was cut short
	if errors.Is(err, trial.ErrDamaged) {
		return nil
	}
	return err
}

// giveUp sees to it that no worker ever has the attempt, and says how it ended, where none has it yet.
func (e *Executor) giveUp(a *attempt, o trial.Outcome) (given bool, err error) {
	if a.sight.claimed {
		return false, nil
	}
	e.act()
	given, err = claimOnce(a.dir, claim{Never: &o})
	if given {
		return true, errors.Join(err, e.never(a, o))
	}
	a.fresh = false
	return false, errors.Join(err, e.seeClaim(a))
}

// never ends an attempt that was given up.
func (e *Executor) never(a *attempt, o trial.Outcome) error {
	if e.Observing {
		e.close(a)
		return nil
	}
	e.act()
	err := trial.WriteOutcome(a.dir, trial.Event{Seq: 1, At: e.Clock.Now().Wall, Kind: trial.EventEnded, Outcome: &o})
	if err == nil {
		e.close(a)
	}
	return err
}

// quiet is how long nothing has changed in a folder, by its files' times.
func (e *Executor) quiet(dir string) time.Duration {
	var last time.Time
	entries, err := os.ReadDir(dir)
	for _, entry := range entries {
		if info, infoErr := entry.Info(); infoErr == nil && info.ModTime().After(last) {
			last = info.ModTime()
		}
	}
	if err != nil || last.IsZero() {
		return 0
	}
	return e.Clock.Now().Wall.Sub(last)
}

// settle ends an attempt that has been found over.
func (e *Executor) settle(ctx context.Context, a *attempt) {
	if !a.sight.claimed {
		given, err := e.giveUp(a, e.unrun(a))
		if err != nil {
			e.warn("give up attempt "+string(a.id), err)
		}
		if given && a.sight.found && a.sight.job.Phase != Ended {
			a.wish = wishKill
		}
		return
	}
	if !a.sight.ended {
		if err := e.askByFile(a); err != nil { // should it live all the same
			e.warn("stop attempt "+string(a.id), err)
		}
	}
	if a.sight.found && a.sight.job.Phase == Pending {
		a.wish = wishKill
	}
	e.Log.Debug("attempt is over", "attempt", a.id, "because", a.finding.over, "exit", a.sight.exit, "reason", a.finding.reason)
	e.close(a)
	e.learn(a)
	e.tellQueue(ctx)
}

// close keeps nothing of an attempt that is over but that it is.
func (e *Executor) close(a *attempt) {
	if a.over {
		return
	}
	a.over, a.news = true, nil
	e.open--
	if b := e.batches[a.job.Batch]; b != nil {
		if b.open--; b.open == 0 {
			delete(e.batches, a.job.Batch)
		}
	}
}

// unrun is how an attempt ended that no worker ever had.
func (e *Executor) unrun(a *attempt) trial.Outcome {
	f := a.finding
	b := e.batches[a.job.Batch]
	if unknown := a.sight.exit == "" && !a.sight.found; unknown && (b == nil || !b.accepted) {
		return trial.Outcome{State: trial.OutcomeInterrupted, Error: "its coordinator ended before the queue had it"}
	}
	exit, oom := strings.CutSuffix(a.sight.exit, outOfMemory)
	c, line := cause.Of(cause.Evidence{Exit: cmp.Or(exit, f.exit), OOMKilled: oom, Reason: f.reason, Stderr: folders.Stderr(e.Root, a.id)})
	return trial.Outcome{State: trial.OutcomeCrashed, Cause: c, Error: fmt.Sprintf("%s before it began: %s", c.Words(), line)}
}

// ending is how an attempt that is over ended.
func (a *attempt) ending(root string) sweep.Process {
	exit, oom := strings.CutSuffix(a.sight.exit, outOfMemory)
	return sweep.Process{
		Exit: cmp.Or(exit, a.finding.exit), OutOfMemory: oom, AskedTooLittle: a.process.AskedTooLittle, Reason: a.finding.reason,
		Stderr: folders.Stderr(root, a.id),
	}
}

// askByFile asks the attempt's worker to end.
func (e *Executor) askByFile(a *attempt) error {
	e.act()
	f, err := trial.OpenFile(filepath.Join(a.dir, stopFile), os.O_WRONLY)
	if err != nil {
		return err
	}
	return f.Close()
}

package cluster

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

// Pilots is a Queue before a Queue: its jobs are trained one after another by a few jobs of that one, the pilots, in processes that stay
// warm. That is for trials that take seconds where a job takes minutes until it starts.
//
// A job waits as a file in Root/pilots/inbox. A pilot takes it by moving that file into its own folder, and then makes the attempt's claim,
// as every job does. Whose a job is can be read off the folders, so that nothing is lost with a coordinator, and the coordinators of a
// root share its pilots.
//
// A pilot is itself an attempt of an Executor, of no trial but pilotTrial, below Root/pilots: that one hands it in, finds it again, and
// tells how it ended.
type Pilots struct {
	Queue  Queue
	Root   string // of the attempts, absolute
	Script Script
	Crew   int           // pilots at the same time
	Time   time.Duration // that a pilot has; 0: no end
	// MemoryMax is the most that a pilot may ask for; 0: no bound.
	MemoryMax int64
	Idle      time.Duration // without work, after which a pilot ends; 0: a minute
	Late      time.Duration // as Executor.Late
	Private   bool          // as Executor.Private
	Observing bool          // as Executor.Observing
	Clock     sweep.Clock
	Log       *slog.Logger

	mu     sync.Mutex
	jobs   *Executor // of the pilots
	pilots map[trial.AttemptID]*pilot
	last   int // the highest number of a pilot
}

// pilot is what this process knows of one.
type pilot struct {
	spec  pilotSpec
	over  bool
	ended sweep.Process
	took  []entry       // once it is over
	done  map[JobID]Job // of those that it took
}

const (
	pilotsFolder = "pilots"
	inboxFolder  = "inbox"
	pilotTrial   = "pilot"
)

// defaultIdle is how long a pilot waits for work: as long as an idle worker of one machine does.
const defaultIdle = time.Minute

func (p *Pilots) dir() string   { return filepath.Join(p.Root, pilotsFolder) }
func (p *Pilots) inbox() string { return filepath.Join(p.dir(), inboxFolder) }

// Most is any number: jobs are files.
func (p *Pilots) Most(context.Context) (int, error) { return 1000, nil }

// Submit puts the batch's jobs into the inbox. Those that are there, or were, are not put in again.
func (p *Pilots) Submit(ctx context.Context, b Batch) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.open(); err != nil {
		return err
	}
	known, err := p.known(ctx)
	if err != nil {
		return err
	}
	for i, dir := range b.Dirs {
		id := JobID{Batch: b.Name, Index: i}
		if _, there := known[id]; there {
			continue
		}
		a, err := trial.ReadAssignment(dir)
		if err != nil {
			return err
		}
		e := entry{
			Order: p.Clock.Now().Wall.UnixNano(), Job: id, Attempt: a.Attempt, Kind: warmKind(a), Request: b.Request,
			Expected: time.Duration(math.Ceil(a.ExpectedSeconds)) * time.Second,
		}
		if err := touch(filepath.Join(p.inbox(), e.name())); err != nil {
			return err
		}
		known[id] = waits(e)
	}
	if err := trial.SyncFolder(p.inbox()); err != nil {
		return err
	}
	return p.staff(ctx, known)
}

func waits(e entry) placed {
	return placed{Job: Job{Phase: Pending, Reason: "waits for a pilot"}, entry: e}
}

// Jobs tells where each job is: in the inbox, with a pilot that lives, or over.
func (p *Pilots) Jobs(ctx context.Context, batches []string) (map[JobID]Job, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.open(); err != nil {
		return nil, err
	}
	known, err := p.known(ctx)
	if err != nil {
		return nil, err
	}
	if !p.Observing {
		if err := p.staff(ctx, known); err != nil {
			return nil, err
		}
	}
	wanted := map[JobID]Job{}
	for id, j := range known {
		if slices.Contains(batches, id.Batch) {
			wanted[id] = j.Job
		}
	}
	return wanted, nil
}

// Stop takes a job that waits out of the inbox, and kills the pilot that trains one: it trains no other meanwhile.
func (p *Pilots) Stop(ctx context.Context, id JobID, kill bool) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !kill {
		return nil // the attempt's file asks
	}
	if err := p.open(); err != nil {
		return err
	}
	known, err := p.known(ctx)
	if err != nil {
		return err
	}
	switch j := known[id]; j.Phase {
	case Pending:
		err := os.Remove(filepath.Join(p.inbox(), j.entry.name()))
		if errors.Is(err, fs.ErrNotExist) {
			return errors.New("a pilot takes it at this moment") // asked again, its job is found
		}
		return err
	case Running:
		return p.jobs.Stop(ctx, j.pilot, true)
	case Ending, Ended, Suspended:
	}
	return nil
}

// Close ends the pilots, where no job waits or is trained any more.
func (p *Pilots) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	ctx := context.Background()
	known, err := p.known(ctx)
	for _, j := range known {
		if err != nil || j.Phase != Ended {
			return err
		}
	}
	for id, pilot := range p.pilots {
		if !pilot.over {
			err = errors.Join(err, p.jobs.Stop(ctx, id, false))
		}
	}
	return err
}

// placed is a job and where it is.
type placed struct {
	Job
	entry entry
	pilot trial.AttemptID
}

// known are the jobs of all coordinators of the root.
func (p *Pilots) known(ctx context.Context) (map[JobID]placed, error) {
	known := map[JobID]placed{}
	// The inbox first: what a pilot takes meanwhile is then found with the pilot.
	waiting, err := entries(p.inbox())
	if err != nil {
		return nil, err
	}
	for _, e := range waiting {
		known[e.Job] = waits(e)
	}
	for id, pilot := range p.pilots {
		took, err := p.took(ctx, id, pilot)
		if err != nil {
			return nil, err
		}
		for _, e := range took {
			j, err := p.aboard(e, pilot)
			if err != nil {
				return nil, err
			}
			j.Native = string(id)
			known[e.Job] = placed{Job: j, entry: e, pilot: id}
		}
	}
	return known, nil
}

// took are the entries that a pilot has taken. What was over is not looked at again.
func (p *Pilots) took(ctx context.Context, id trial.AttemptID, pilot *pilot) ([]entry, error) {
	if pilot.over {
		return pilot.took, nil
	}
	process, err := p.jobs.Probe(ctx, id)
	if err != nil {
		return nil, err
	}
	took, err := entries(id.Dir(p.dir()))
	if err == nil && !process.Alive {
		pilot.over, pilot.took, pilot.ended = true, took, process
		err = p.explain(ctx, id, pilot)
	}
	return took, err
}

// explain adds what was said of a pilot that no queue has taken.
func (p *Pilots) explain(ctx context.Context, id trial.AttemptID, pilot *pilot) error {
	events, err := p.jobs.Events(ctx, id, 0)
	for _, e := range events {
		if e.Outcome != nil && e.Outcome.State == trial.OutcomeCrashed {
			pilot.ended.Reason = cmp.Or(pilot.ended.Reason, e.Outcome.Error)
		}
	}
	return err
}

// aboard is where a job is that a pilot has taken. Of one that is over no file is looked at again: what its attempt's executor reads itself
// counts more.
func (p *Pilots) aboard(e entry, pilot *pilot) (Job, error) {
	if j, over := pilot.done[e.Job]; over { // a pilot may have trained thousands
		return j, nil
	}
	j := Job{Phase: Ended, Exit: pilot.ended.Exit, Reason: pilot.ended.Reason}
	switch text, err := trial.ReadRegular(filepath.Join(e.Attempt.Dir(p.Root), exitFile), trial.MostWord); {
	case err == nil:
		j = Job{Phase: Ended, Exit: string(text[:max(0, len(text)-1)])}
	case !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, trial.ErrDamaged): // which says nothing
		return Job{}, err
	case !pilot.over:
		return Job{Phase: Running}, nil
	}
	if pilot.done == nil {
		pilot.done = map[JobID]Job{}
	}
	pilot.done[e.Job] = j
	return j, nil
}

// open learns of the pilots that there are.
func (p *Pilots) open() error {
	if p.jobs == nil {
		if !p.Observing {
			for _, dir := range []string{p.dir(), p.inbox()} {
				if err := trial.MakeFolder(dir); err != nil {
					return err
				}
			}
		}
		p.pilots = map[trial.AttemptID]*pilot{}
		p.jobs = &Executor{
			Root: p.dir(), Queue: p.Queue, Script: p.script(), Late: p.Late, Private: p.Private, Observing: p.Observing, Clock: p.Clock,
			Log: p.Log,
			Ask: func(a trial.Assignment) (r Request) {
				if pilot := p.pilots[a.Attempt]; pilot != nil {
					r = pilot.spec.Asked
				}
				return r
			},
		}
	}
	ids, err := trial.Attempts(p.dir(), pilotTrial)
	for _, id := range ids {
		p.last = max(p.last, id.Number())
		if p.pilots[id] != nil {
			continue
		}
		found := &pilot{}
		if err := trial.ReadSealed(filepath.Join(id.Dir(p.dir()), pilotFile), &found.spec); err != nil {
			continue // a coordinator is about to make it, or has died over it
		}
		p.pilots[id] = found
	}
	return err
}

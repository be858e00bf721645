package cluster

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/executor/folders"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

// Executor implements sweep.Executor with the jobs of a queue. It never fails for the queue's sake: while nothing can be learnt, what was
// known last holds, and attempts live.
type Executor struct {
	Root   string // on the shared file system, absolute: attempts live in Root/trials/<trial>/<number>, batches in Root/batches
	Queue  Queue
	Script Script
	// Ask is what the job of an attempt asks for; nil: what the queue gives by default. Memory grows by what was learnt: see memory.go.
	Ask       func(trial.Assignment) Request
	MemoryMax int64         // the most that a job may ask for; 0: no bound
	Late      time.Duration // how long files may take to be seen here; 0: a minute, as NFS may
	Private   bool          // jobs run as this user: nobody else may read what they are given
	// Observing says that another process is the coordinator, or none: this one looks, and neither writes nor asks anything of the queue but
	// how its jobs are.
	Observing bool
	Clock     sweep.Clock
	Log       *slog.Logger

	events folders.Reader

	mu       sync.Mutex
	attempts map[trial.AttemptID]*attempt
	open     int                // attempts that are not over
	waiting  []trial.Assignment // started, and not handed in
	batches  map[string]*batch  // of attempts that are not over
	asking   asking
	most     int             // jobs of a batch; 0: not known yet
	handAt   time.Duration   // uptime before which nothing is handed in
	refused  *RefusedError   // that no other batch would fare better with
	told     map[string]bool // why jobs wait that may never start

	calls                      sync.WaitGroup
	handing, question, telling *call
	warned                     time.Duration // uptime of the last warning
	step                       func()        // of tests: called before each thing that others can see
}

// now is the clock's uptime.
func (e *Executor) now() time.Duration { return e.Clock.Now().Uptime }

func (e *Executor) late() time.Duration { return cmp.Or(e.Late, late) }

// act is called before each thing that others can see.
func (e *Executor) act() {
	if e.step != nil {
		e.step()
	}
}

// warnEvery is how often a trouble that lasts is told.
const warnEvery = time.Minute

// warn tells of what goes wrong and is tried again.
func (e *Executor) warn(what string, err error) {
	if now := e.now(); e.warned == 0 || now-e.warned >= warnEvery {
		e.warned = max(now, 1)
		e.Log.Warn("trouble with the cluster, tried again", "to", what, "error", err)
	}
}

// Start writes spec.json. The job is handed in by the next Probe, with all others that wait: of any attempt.
func (e *Executor) Start(_ context.Context, a trial.Assignment) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.Observing {
		return fmt.Errorf("start attempt %s: %w", a.Attempt, errObserving)
	}
	if !filepath.IsAbs(e.Root) || strings.Contains(e.Root, "\n") {
		return fmt.Errorf("root %q: want an absolute path of one line, the same on all machines", e.Root)
	}
	e.act()
	dir, err := a.Attempt.MakeDir(e.Root)
	if err != nil {
		return fmt.Errorf("folder of attempt %s: %w", a.Attempt, err)
	}
	names, err := list(dir)
	if err != nil {
		return err
	}
	if names[trial.SpecFile] || names[claimFile] || names[trial.EventsFile] {
		return fmt.Errorf("attempt %s was started before: %w", a.Attempt, fs.ErrExist)
	}
	e.act()
	if err := trial.WriteAssignment(dir, a); err != nil {
		return err
	}
	e.add(&attempt{id: a.Attempt, dir: dir, mine: true})
	e.waiting = append(e.waiting, a)
	e.asking.soon(e.now())
	return nil
}

var errObserving = errors.New("this process only looks")

// Refusal is the queue's no to a batch where it lies with the settings: no other would be taken, and whoever runs the trials is to end. Its
// attempts were given up as ones that were interrupted.
func (e *Executor) Refusal() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.refused == nil {
		return nil
	}
	return e.refused
}

// Probe hands in what waits, asks the queue where it is time to, and tells what is known of the attempt.
func (e *Executor) Probe(ctx context.Context, id trial.AttemptID) (sweep.Process, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	a, err := e.attempt(id)
	if a == nil || err != nil {
		return sweep.Process{}, err
	}
	e.attend(ctx, a)
	if a.over {
		return a.ending(e.Root), nil
	}
	return a.process, nil
}

// attend does what is due, for all attempts and this one.
func (e *Executor) attend(ctx context.Context, a *attempt) {
	e.handIn(ctx)
	e.ask(ctx)
	e.look(ctx, a)
	if e.Observing && !a.over && e.asksToo(a) {
		e.ask(ctx) // the queue was not asked for it yet
		a.fresh = false
		e.look(ctx, a)
	}
}

// Events returns the attempt's events with Seq > after.
func (e *Executor) Events(ctx context.Context, id trial.AttemptID, after int64) ([]trial.Event, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	a := e.attempts[id]
	if a != nil {
		e.attend(ctx, a)
	}
	if a == nil || a.over || after < a.given {
		return e.events.Events(e.Root, id, after)
	}
	read := slices.IndexFunc(a.news, func(ev trial.Event) bool { return ev.Seq > after })
	if read < 0 {
		read = len(a.news)
	}
	a.given, a.news = after, a.news[read:]
	return slices.Clone(a.news), a.damage
}

// Stop asks the worker to checkpoint and end, or kills it. Where no worker has the attempt yet, none ever will.
func (e *Executor) Stop(ctx context.Context, id trial.AttemptID, kill bool) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	a, err := e.attempt(id)
	if a == nil || err != nil || a.over {
		return err
	}
	if e.Observing {
		return fmt.Errorf("stop attempt %s: %w", id, errObserving)
	}
	e.asking.soon(e.now())
	given := false
	if err = e.see(a); err == nil {
		given, err = e.giveUp(a, trial.Outcome{State: trial.OutcomeInterrupted, Error: "asked to stop before it began"})
	}
	switch {
	case errors.Is(err, fs.ErrNotExist): // somebody removed its folder, and the worker cannot be asked
		a.wish = wishKill
	case err != nil:
		return err
	case given:
		a.wish = wishKill // its job, if it has one, has nothing to do
	case kill:
		a.wish = wishKill
	default:
		if err := e.askByFile(a); err != nil {
			return err
		}
		a.wish = max(a.wish, wishStop)
	}
	e.tellQueue(ctx)
	return nil
}

// Expect says which attempts will be looked at, so that one question serves all.
func (e *Executor) Expect(ids []trial.AttemptID) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, id := range ids {
		a, err := e.attempt(id)
		if err == nil && a != nil {
			err = e.see(a)
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// Close waits until the queue was told what it was to be told, and lets go of what it keeps for further jobs, such as Pilots.
func (e *Executor) Close() error {
	e.calls.Wait()
	e.mu.Lock()
	e.tellQueue(context.Background())
	e.mu.Unlock()
	e.calls.Wait()
	if c, ok := e.Queue.(io.Closer); ok {
		return c.Close()
	}
	return nil
}

// Trials lists the trials that have a folder.
func (e *Executor) Trials(context.Context) ([]trial.ID, error) { return folders.Trials(e.Root) }

// Attempts lists the attempt folders of a trial by number.
func (e *Executor) Attempts(_ context.Context, tr trial.ID) ([]trial.AttemptID, error) {
	return trial.Attempts(e.Root, tr)
}

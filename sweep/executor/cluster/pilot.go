package cluster

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

// Pilot is a job that trains one attempt after another, as long as its time allows: the side of its machine. It takes them from the
// sweep's inbox.
type Pilot struct {
	dir     string
	spec    pilotSpec
	events  *os.File
	log     *trial.EventLog
	began   time.Time
	longest time.Duration // that an attempt has taken
	trained int
}

// pilotSpec is the pilot.json of a pilot's folder.
type pilotSpec struct {
	Root  string        `json:"root"`
	Inbox string        `json:"inbox"`
	Asked Request       `json:"asked"`
	Time  time.Duration `json:"time,omitempty"` // that its job has; 0: no end
	Idle  time.Duration `json:"idle"`           // without work, after which it ends
}

// serves reports whether a pilot has what an attempt asks for.
func (s pilotSpec) serves(e entry) bool {
	return e.Request.Memory <= s.Asked.Memory && e.Request.Devices <= s.Asked.Devices
}

const pilotFile = "pilot.json"

// pilotPoll is how often a pilot looks for work. A trial of seconds should not wait much longer than it takes.
const pilotPoll = 250 * time.Millisecond

// OpenPilot opens the pilot in dir for the process of its job. The folder tells of it as an attempt's tells of a worker. The caller closes
// it.
func OpenPilot(dir string) (*Pilot, error) {
	p := &Pilot{dir: dir, began: time.Now()}
	if err := trial.ReadSealed(filepath.Join(dir, pilotFile), &p.spec); err != nil {
		return nil, err
	}
	var err error
	if p.events, err = trial.OpenFile(filepath.Join(dir, trial.EventsFile), os.O_RDWR|os.O_APPEND); err != nil {
		return nil, err
	}
	if p.log, err = trial.NewEventLog(p.events); err != nil {
		return nil, errors.Join(err, p.events.Close())
	}
	return p, nil
}

// Close says that the pilot came to its own end.
func (p *Pilot) Close() error {
	err := p.log.Emit(trial.Event{Kind: trial.EventEnded, Outcome: &trial.Outcome{State: trial.OutcomeDone}})
	return errors.Join(err, p.events.Close())
}

// Root is where attempts live.
func (p *Pilot) Root() string { return p.spec.Root }

// Next takes the attempt that has waited longest, of the same kind as the last one where there is one: the worker of that is warm. ok is
// false where none came for a while, none that there is fits into what is left of the pilot's time, or ctx is done.
func (p *Pilot) Next(ctx context.Context, last trial.Assignment) (a trial.Assignment, ok bool, err error) {
	warm := ""
	if last.Attempt != "" {
		warm = warmKind(last)
	}
	for idle := time.Now(); ctx.Err() == nil && time.Since(idle) < p.spec.Idle; {
		waiting, err := entries(p.spec.Inbox)
		if err != nil {
			return a, false, err
		}
		fitting, late := p.fitting(waiting, warm)
		for _, e := range fitting {
			if a, ok, err = p.take(e); ok || err != nil {
				return a, ok, err
			}
		}
		if late && len(fitting) == 0 {
			return a, false, nil
		}
		select {
		case <-ctx.Done():
		case <-time.After(pilotPoll):
		}
	}
	return a, false, nil
}

// fitting are the entries that the pilot can train, those of its warm kind first. late reports whether there are others, for which it has
// too little time left. A pilot that has trained nothing yet takes any: no other has more time for it, and where that is not enough the
// trial goes on from its checkpoint.
func (p *Pilot) fitting(waiting []entry, warm string) (fitting []entry, late bool) {
	var cold []entry
	for _, e := range waiting {
		switch {
		case !p.spec.serves(e):
		case p.spec.Time > 0 && p.trained > 0 && max(p.longest, e.Expected)+p.margin() > p.spec.Time-time.Since(p.began):
			late = true
		case e.Kind == warm:
			fitting = append(fitting, e)
		default:
			cold = append(cold, e)
		}
	}
	return append(fitting, cold...), late
}

// margin is for what comes on top of a trial's time: its start, its last checkpoint, a machine that is slower today.
func (p *Pilot) margin() time.Duration { return min(time.Minute, p.spec.Time/10) }

// take makes an entry's attempt the pilot's. ok is false where another was faster, or the attempt was given up.
func (p *Pilot) take(e entry) (a trial.Assignment, ok bool, err error) {
	err = os.Rename(filepath.Join(p.spec.Inbox, e.name()), filepath.Join(p.dir, e.name()))
	if errors.Is(err, fs.ErrNotExist) {
		return a, false, nil
	}
	if err != nil {
		return a, false, err
	}
	dir := e.Attempt.Dir(p.spec.Root)
	host, err := os.Hostname()
	if err != nil {
		return a, false, err
	}
	taken, err := claimOnce(dir, claim{Worker: fmt.Sprintf("process %d on %s", os.Getpid(), host)})
	if err != nil || !taken { // it was given up; or a server that answers a rename twice told two pilots that it was theirs
		return a, false, err
	}
	a, err = trial.ReadAssignment(dir)
	return a, err == nil, err
}

// Ended notes how the worker of an attempt ended, as a job's script would, and how long it took. A worker that stays for the next attempt
// came to the end of this one.
func (p *Pilot) Ended(id trial.AttemptID, worker sweep.Process, took time.Duration) error {
	p.trained++
	p.longest = max(p.longest, took)
	how := cmp.Or(worker.Exit, exitGood)
	if worker.OutOfMemory {
		how += outOfMemory
	}
	return trial.WriteAtomic(filepath.Join(id.Dir(p.spec.Root), exitFile), func(w io.Writer) error {
		_, err := fmt.Fprintln(w, how)
		return err
	})
}

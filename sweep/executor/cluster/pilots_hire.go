package cluster

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/ranksweep/ranksweep/sweep/trial"
)

// staff hires pilots as long as fewer of them are free than jobs wait. Where one has ended before it took anything, for another reason than
// that there was nothing to do, those that follow would fare no better: it gets the job that has waited longest, whose end it then
// explains.
func (p *Pilots) staff(ctx context.Context, known map[JobID]placed) error {
	waiting, err := entries(p.inbox())
	if err != nil {
		return err
	}
	busy := map[trial.AttemptID]bool{}
	for _, j := range known {
		if j.Phase == Running {
			busy[j.pilot] = true
		}
	}
	var free []trial.AttemptID
	alive := 0
	for id, pilot := range p.pilots {
		switch {
		case !pilot.over:
			alive++
			if !busy[id] {
				free = append(free, id)
			}
		case len(pilot.took) == 0 && (pilot.ended.Reason != "" || cmp.Or(pilot.ended.Exit, exitGood) != exitGood) && len(waiting) > 0:
			if err := p.blame(id, pilot, waiting[0]); err != nil {
				return err
			}
			waiting = waiting[1:]
		}
	}
	for _, e := range waiting {
		if i := slices.IndexFunc(free, func(id trial.AttemptID) bool { return p.pilots[id].spec.serves(e) }); i >= 0 {
			free = slices.Delete(free, i, i+1)
			continue
		}
		if alive >= max(1, p.Crew) {
			return p.makeRoom(ctx, free)
		}
		if err := p.hire(ctx, e.Request); err != nil {
			return err
		}
		alive++
	}
	return nil
}

// makeRoom ends pilots that have nothing to do and do not serve what waits.
func (p *Pilots) makeRoom(ctx context.Context, free []trial.AttemptID) error {
	var errs []error
	for _, id := range free {
		errs = append(errs, p.jobs.Stop(ctx, id, false))
	}
	return errors.Join(errs...)
}

// blame has a pilot that is over be the one that took a job.
func (p *Pilots) blame(id trial.AttemptID, pilot *pilot, e entry) error {
	err := os.Rename(filepath.Join(p.inbox(), e.name()), filepath.Join(id.Dir(p.dir()), e.name()))
	if errors.Is(err, fs.ErrNotExist) {
		return nil // another one was faster
	}
	if err == nil {
		pilot.took = append(pilot.took, e)
	}
	return err
}

// script is what the job of a pilot runs.
func (p *Pilots) script() Script {
	s := p.Script
	s.Command = append(slices.Clone(s.Command), "--pilot")
	return s
}

// Preview is a pilot as it would be hired for an attempt that asks for r: what its job runs, and its batch, for which name stands.
func (p *Pilots) Preview(r Request, name string) (Script, Batch) {
	folder := BatchFolder(p.dir(), name)
	return p.script(), Batch{Name: name, Folder: folder, Dirs: []string{trial.NewAttemptID(pilotTrial, 1).Dir(p.dir())}, Request: p.asks(r)}
}

// asks is what a pilot asks for that is hired for an attempt which asks for r.
func (p *Pilots) asks(r Request) Request {
	return Request{Memory: p.roomier(r.Memory), Time: cmp.Or(p.Time, r.Time), Devices: r.Devices}
}

// roomier is what a pilot asks for where an attempt asks for so much memory: those of a higher rank need a little more, and are to be
// trained by it as well.
func (p *Pilots) roomier(memory int64) int64 {
	roomy := stepUp(memory + memory/2)
	if p.MemoryMax > 0 {
		roomy = max(memory, min(roomy, p.MemoryMax))
	}
	return roomy
}

// hire hands in a pilot that serves a request.
func (p *Pilots) hire(ctx context.Context, r Request) error {
	asked := p.asks(r)
	spec := pilotSpec{Root: p.Root, Inbox: p.inbox(), Asked: asked, Time: asked.Time, Idle: cmp.Or(p.Idle, defaultIdle)}
	p.last++
	id := trial.NewAttemptID(pilotTrial, p.last)
	of := id.Trial().Dir(p.dir())
	for _, dir := range []string{filepath.Dir(of), of} {
		if err := trial.MakeFolder(dir); err != nil {
			return err
		}
	}
	if err := os.Mkdir(id.Dir(p.dir()), 0o777); err != nil {
		return fmt.Errorf("make a pilot: %w", err) // another coordinator has just made it: next time
	}
	if err := trial.WriteSealed(filepath.Join(id.Dir(p.dir()), pilotFile), spec); err != nil {
		return err
	}
	p.pilots[id] = &pilot{spec: spec}
	if err := p.jobs.Start(ctx, trial.Assignment{Attempt: id}); err != nil {
		return err
	}
	_, err := p.jobs.Probe(ctx, id) // which hands it in
	return errors.Join(err, p.jobs.Refusal())
}

func touch(path string) error {
	f, err := trial.OpenFile(path, os.O_WRONLY)
	if err != nil {
		return err
	}
	return f.Close()
}

package sweep

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ranksweep/ranksweep/sweep/trial"
)

// ErrFull says that what was to be written found no room on the disk.
var ErrFull = errors.New("the disk is full")

// ErrBusy says of the database that another program keeps it to itself: one that registers or removes a large sweep, or a person's.
var ErrBusy = errors.New("another program keeps it locked")

// passes reports whether a sweep waits for an error to pass, however long that takes.
func passes(err error) bool { return errors.Is(err, ErrFull) || errors.Is(err, ErrBusy) }

// errOverDisk is ErrFull where a grid, not the disk, says how much there is.
var errOverDisk = fullError("limits.disk is reached")

type fullError string

func (e fullError) Error() string        { return string(e) }
func (e fullError) Is(target error) bool { return target == ErrFull }

const (
	waitEvery = 5 * time.Second // how often it is seen whether what is waited for has passed
	// diskPerParam are the bytes on disk of a trainable parameter in float32: two checkpoints and one that is being written, each of the
	// adapter, its best and two moments; and the two adapters that are kept.
	diskPerParam = 4 * (3*4 + 2)
	// diskBeside is what a trial writes beside that, and what the database needs meanwhile.
	diskBeside = 16 << 20
)

// waitOut keeps a sweep from doing anything until what it met has passed: until somebody made room on the disk, or the database is free.
// It goes on by itself. Its heartbeats say so, and why, as far as the database can be written.
func (r *run) waitOut(ctx context.Context, why error) error {
	begins := r.waits == ""
	r.stale, r.waitUntil, r.waits, r.changed = true, r.now()+waitEvery, why.Error(), true
	r.show()
	if !begins {
		return nil
	}
	r.Log.Info("wait; what runs goes on", "because", why)
	if err := r.heartbeat(ctx, true); !passes(err) {
		return err
	}
	return nil
}

// waitNoMore says that a decision was carried out.
func (r *run) waitNoMore(ctx context.Context) error {
	if r.waits == "" {
		return nil
	}
	r.waits, r.changed = "", true
	return r.heartbeat(ctx, true)
}

// room fails with ErrFull where the disk has no room for another trial beside what those that run may yet write.
// Likewise where the root would grow beyond limits.disk.
func (r *run) room(l Launch) error {
	if r.Room == nil && (r.Used == nil || r.snapshot.Sweep.Limits.Disk == 0) {
		return nil
	}
	need := r.diskNeed(l.Ladder, l.Trial)
	for _, a := range r.live {
		if a.disk == 0 {
			a.disk = r.diskNeed(a.Ladder, a.Trial)
		}
		need += a.disk
	}
	if r.Room != nil {
		have, err := r.Room()
		if err != nil {
			return fmt.Errorf("see how much room the disk has: %w", err)
		}
		if need > have {
			return fmt.Errorf("%w: a trial of rank %d and those that run may take %s, and %s is left; %s makes room",
				ErrFull, l.Rank, trial.FormatBytes(need), trial.FormatBytes(max(0, have)), trial.Command(r.Root, "prune"))
		}
	}
	return r.withinDisk(l, need)
}

// withinDisk fails with ErrFull where the root would grow beyond limits.disk by what trials need. What the root takes is looked for once a
// decision: that goes through all of its files.
func (r *run) withinDisk(l Launch, need int64) error {
	limit := r.snapshot.Sweep.Limits.Disk
	if limit == 0 || r.Used == nil {
		return nil
	}
	if r.used == nil {
		used, err := r.Used()
		if err != nil {
			return fmt.Errorf("see what %s takes: %w", r.Root, err)
		}
		r.used = &used
	}
	if *r.used+need > limit {
		return fmt.Errorf("%w: %s takes %s, and a trial of rank %d with those that run may take %s more than limits.disk (%s) allows; "+
			"%s makes room, or raise limits.disk in the grid, then: %s", errOverDisk, r.Root,
			trial.FormatBytes(*r.used), l.Rank, trial.FormatBytes(*r.used+need-limit), trial.FormatBytes(limit),
			trial.Command(r.Root, "prune"), trial.Command(r.Root, "extend", r.snapshot.Sweep.GridPath))
	}
	return nil
}

// diskNeed is what a trial writes at most.
func (r *run) diskNeed(ladder int, id trial.ID) int64 {
	l := r.snapshot.Ladders[ladder]
	params, err := l.trial(id).Spec.LoRA.TrainableParams(l.Model.Modules, l.Model.Tensors)
	if err != nil {
		return diskBeside // its worker will say what is wrong with it
	}
	return diskPerParam*params + diskBeside
}

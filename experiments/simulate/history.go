package main

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"time"

	"github.com/ranksweep/ranksweep/experiments/simulate/disk"
	"github.com/ranksweep/ranksweep/store"
	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/sweeptest"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

// history is what happens to one world: coordinators live and die one after the other, or beside each other, until the sweep is done.
// One thing happens at a time, in an order that the seed alone decides.
type history struct {
	*world
	rng    *rand.Rand
	root   string // holds the hosts' folders
	faults []fault
	tally
	disk  *disk.Disk
	fake  sweeptest.FakeExecutor
	facts ledger
	// screens are the attempts that only screen what is done: a lying disk loses a truncated loss that the next attempt relied on.
	screens map[trial.AttemptID]bool
	troubled
	memory
	times
	shift   time.Duration // of the time of day
	lazy    time.Duration // how long a coordinator waits
	paused  time.Duration // when the sweep was last; 0 while it is not
	jumps   bool          // the time of day does at some time
	keen    bool          // it waits no longer than until a worker does something
	drawn   []drawn
	lives   []*coordinator
	born    int
	due     time.Duration // when a person starts the next coordinator
	lies    bool          // the disk's syncs lie
	lied    bool          // facts may be gone for good but for the attempts' folders
	given   bool          // a person has extended the sweep, and does so again where it is registered again
	full    time.Duration // until when the disk is
	late    time.Duration // until when events are shown late
	stale   time.Duration // until when exited workers seem to live
	cut     bool          // the power goes when control is back
	excused string        // why a person's command may fail
	ends    *outcome
	wrongs  []string
	say     func(format string, args ...any)
}

// epoch is when histories begin.
var epoch = time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC) //nolint:gochecknoglobals // a constant

const (
	horizon  = 4 * time.Hour // by which every sweep is done
	lifetime = 40            // coordinators that a history may need
)

func newHistory(w *world, root string, rng *rand.Rand, faults []fault, say func(string, ...any)) *history {
	h := &history{
		world: w, rng: rng, root: root, faults: faults, say: say, facts: ledger{}, screens: map[trial.AttemptID]bool{},
		troubled: troubled{
			stuck: map[trial.AttemptID]time.Duration{}, still: map[trial.AttemptID]time.Duration{},
			dawdles: map[trial.AttemptID]time.Duration{}, deaf: map[trial.AttemptID]bool{}, lossy: map[trial.ID]bool{},
		},
		times: times{spans: map[int64]time.Duration{}},
		memory: memory{
			need: map[trial.AttemptID]int64{}, early: map[trial.AttemptID]bool{}, crowded: map[trial.AttemptID]bool{},
			alone: map[trial.AttemptID]bool{}, nobodys: map[trial.AttemptID]bool{},
		},
		lazy: time.Duration(250+rng.IntN(1750)) * time.Millisecond, keen: rng.IntN(4) == 0,
	}
	h.jumps = slices.ContainsFunc(faults, func(f fault) bool { return f.kind == clockJumps })
	h.newDisk(w.files)
	h.fake.Exit = h.exit
	h.fake.Now = func() time.Time { return epoch.Add(h.took) }
	return h
}

func (h *history) newDisk(files map[string][]byte) {
	h.disk = disk.New(files, h.rng)
	h.disk.Faults = h.disturb
	h.disk.Safe = !slices.ContainsFunc(h.faults, func(f fault) bool { return f.kind.cutsPower() })
}

func (h *history) note(format string, args ...any) {
	if h.say != nil {
		h.say("%10.3f  "+format, append([]any{h.took.Seconds()}, args...)...)
	}
}

// wrong keeps what must never be.
func (h *history) wrong(format string, args ...any) {
	h.wrongs = append(h.wrongs, fmt.Sprintf("at %v: ", h.took)+fmt.Sprintf(format, args...))
	h.note("WRONG: "+format, args...)
}

// run goes on until the sweep is done or something is wrong.
func (h *history) run(ctx context.Context) {
	defer h.end()
	for _, f := range h.faults {
		h.note("fault: %s", f)
	}
	for h.ends == nil && len(h.wrongs) == 0 {
		if h.took > horizon || h.born > lifetime {
			h.wrong("the sweep is not done after %v and %d coordinators", h.took, h.born)
			return
		}
		h.step(ctx)
	}
}

// pass lets the time pass that an act takes: workers go on meanwhile.
func (h *history) pass() { h.took += time.Duration(h.rng.IntN(2000)) * time.Microsecond }

// end lets everybody go.
func (h *history) end() {
	for _, c := range h.lives {
		c.process.Kill()
		c.stop()
		c.leave() // it may never have begun
	}
	h.lives = nil
}

// step lets the next thing happen.
func (h *history) step(ctx context.Context) {
	next := h.nextCoordinator()
	at := h.due
	if next != nil {
		at = next.wake
	}
	timed := slices.IndexFunc(h.faults, func(f fault) bool { return f.kind.timed() && f.at <= at })
	switch {
	case timed >= 0:
		f := h.faults[timed]
		h.faults = slices.Delete(slices.Clone(h.faults), timed, timed+1)
		h.took = max(h.took, f.at)
		h.happen(ctx, f)
	case next == nil:
		h.took = max(h.took, at)
		h.begin(ctx, h.host())
	default:
		h.took = max(h.took, at)
		h.resume(ctx, next)
	}
	if h.cut {
		h.powerCut(ctx)
	}
	h.checkWorkers()
}

// nextCoordinator is who acts next; nil where nobody is left to.
func (h *history) nextCoordinator() *coordinator {
	if len(h.lives) == 0 {
		return nil
	}
	return slices.MinFunc(h.lives, func(a, b *coordinator) int { return cmp.Compare(a.wake, b.wake) })
}

// host is where a person starts the next coordinator: mostly on the same machine. Where the time of day jumps, the lease of another host's
// dead coordinator lapses when the time says so, which may be a day later.
func (h *history) host() string {
	if h.rng.IntN(10) == 0 && !h.jumps {
		return "b"
	}
	return "a"
}

// resume gives a coordinator control until it waits again.
func (h *history) resume(ctx context.Context, c *coordinator) {
	wake, alive := c.next()
	if alive {
		c.wake = max(wake, h.took)
		return
	}
	h.lives = slices.DeleteFunc(h.lives, func(o *coordinator) bool { return o == c })
	h.note("%s ended: %v", c, c.err)
	h.judge(ctx, c)
	h.due = h.took + time.Duration(h.rng.Int64N(int64(40*time.Second)))
}

// take removes and returns the fault of one of the kinds that is due at the so manieth.
func (h *history) take(n int, kinds ...kind) (fault, bool) {
	for i, f := range h.faults {
		if f.n <= n && slices.Contains(kinds, f.kind) {
			h.faults = slices.Delete(slices.Clone(h.faults), i, i+1)
			h.note("%s", f.kind)
			return f, true
		}
	}
	return fault{}, false
}

// timed reports whether the kind happens at a moment.
func (k kind) timed() bool {
	switch k {
	case killWaiting, killLosing, powerWaiting, fullDisk, interrupt, clockJumps, workerDies, workersDie, workerFrozen, memoryPeaks, readsLate,
		probesLate, secondOnHost, secondHost, rivalOnA, rivalOnB, personPauses, personResumes, personCancels, personRetries,
		personExtends:
		return true
	default:
		return false
	}
}

// happen carries out a fault whose moment has come.
func (h *history) happen(ctx context.Context, f fault) {
	h.note("%s", f)
	switch f.kind {
	case killWaiting:
		h.killCoordinators()
	case killLosing:
		h.killCoordinators()
		h.loseDatabase(ctx)
	case powerWaiting:
		h.cut = true
	case fullDisk:
		h.full = h.took + f.size
	case interrupt:
		for _, c := range h.lives {
			c.interrupt()
		}
	case clockJumps:
		h.shift += f.size
	case workerDies:
		if ids, _ := h.fake.Alive(); len(ids) > 0 {
			h.fake.Die(ids[h.rng.IntN(len(ids))], sweep.Process{Exit: "signal: killed"}, f.lost)
		}
	case workersDie:
		h.killWorkers(f.lost)
	case memoryPeaks:
		h.killForMemory()
	case workerFrozen:
		h.freezeWorker(f.size)
	case readsLate:
		h.late = h.took + f.size
	case probesLate:
		h.stale = h.took + min(f.size, 9*time.Second)
	case secondOnHost:
		if len(h.lives) > 0 {
			h.begin(ctx, h.lives[0].host)
		}
	case secondHost:
		if len(h.lives) > 0 {
			h.begin(ctx, h.lives[0].otherHost())
		}
	case personPauses, personResumes, personCancels:
		h.ask(ctx, f)
	case personExtends:
		h.giveGrid(ctx)
	case personRetries:
		h.retryFailed(ctx)
	case rivalOnA:
		h.begin(ctx, "a")
	case rivalOnB:
		h.begin(ctx, "b")
	default:
		panic("no fault that happens at a moment: " + f.kind)
	}
}

func (h *history) killWorkers(lost int) {
	ids, _ := h.fake.Alive()
	for _, id := range ids {
		h.fake.Die(id, sweep.Process{}, lost)
	}
}

func (h *history) killCoordinators() {
	for _, c := range h.lives {
		c.process.Kill()
		c.wake = h.took // to die
	}
}

// powerCut ends everything that runs on the machine, and leaves of its disk what survives.
func (h *history) powerCut(ctx context.Context) {
	h.cut = false
	h.note("the power is cut")
	h.killWorkers(h.rng.IntN(3))
	h.killCoordinators()
	for len(h.lives) > 0 {
		h.resume(ctx, h.lives[0])
	}
	h.lied = h.lied || h.lies
	h.lies = false
	h.disk.PowerCut()
	if h.lied {
		h.forget()                            // the disk is to blame for what it lost
		h.then(personResumes, 30*time.Second) // who sees the sweep paused again, where that ended and the disk has lost it
	}
}

// loseDatabase leaves the attempts' folders and the records beside them alone: the sweep is registered again of those, as by `sweep run`.
func (h *history) loseDatabase(ctx context.Context) {
	for len(h.lives) > 0 {
		h.resume(ctx, h.lives[0])
	}
	h.note("the database is lost")
	h.forget()
	h.newDisk(h.files)
	h.disk.Faults = nil
	err := h.atTerminal(ctx, func(db *store.DB) error {
		for _, d := range h.drawn {
			if err := db.AddTrials(ctx, d.ladder, d.trials); err != nil {
				return err
			}
		}
		if h.given {
			return h.askGrid(ctx, db)
		}
		return nil
	})
	if err != nil {
		h.wrong("register again: %v", err)
	}
	h.disk.Faults = h.disturb
}

// forget drops what a database was told that is no more.
func (h *history) forget() {
	h.facts, h.paused, h.spentAt = ledger{}, 0, 0
	clear(h.spans)
	clear(h.alone)
}

// disturb is how the disk's next operation goes.
func (h *history) disturb(disk.Op) disk.Fault {
	h.ops++
	if _, due := h.take(h.ops, lyingDisk); due {
		h.lies = true
		h.faults = append(slices.Clone(h.faults), fault{kind: powerWaiting, at: h.took + time.Duration(h.rng.Int64N(int64(20*time.Second)))})
	}
	if f, due := h.take(h.ops, killInside, powerInside, brokenDisk); due {
		if f.kind == brokenDisk {
			h.blame("a broken disk")
			return disk.IO
		}
		h.excused = "its process is killed"
		h.cut = f.kind == powerInside
		return disk.Kill
	}
	switch {
	case h.took < h.full:
		h.blame("a full disk")
		return disk.Full
	case h.lies:
		return disk.Lie
	}
	return disk.None
}

// blame excuses the living coordinators for ending with an error.
func (h *history) blame(why string) {
	h.excused = why
	for _, c := range h.lives {
		c.excuse = why
	}
}

func (h *history) folder(host string) string { return filepath.Join(h.root, host) }

// trialOf is short for the log.
func short(id trial.AttemptID) string {
	return fmt.Sprintf("%.6s#%d", id.Trial(), id.Number())
}

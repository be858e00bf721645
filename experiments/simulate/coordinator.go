package main

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"os"
	"path/filepath"
	"runtime/debug"
	"time"

	"github.com/ranksweep/ranksweep/experiments/simulate/disk"
	"github.com/ranksweep/ranksweep/store"
	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

// coordinator is one life of `sweep run`, from opening the database to closing it.
type coordinator struct {
	h       *history
	number  int
	host    string
	folder  string
	process *disk.Process
	began   time.Duration

	next    func() (time.Duration, bool)
	stop    func()
	yield   func(time.Duration) bool
	wake    time.Duration
	until   time.Duration // it is frozen
	thawed  time.Duration // when it last was not
	cancel  context.CancelFunc
	asked   bool          // to stop
	told    time.Duration // when a person cancelled the sweep; 0: nobody did
	heard   bool
	leads   bool          // nobody has taken its lease
	since   time.Duration // when it took the lease
	led     bool          // it did
	elapsed time.Duration // what the sweep has taken, as it read last
	probed  map[trial.AttemptID]time.Duration
	excuse  string // for ending with an error
	err     error
	unmount func()
}

// errKilled is how a coordinator ends that was killed.
var errKilled = errors.New("killed")

func (c *coordinator) String() string { return fmt.Sprintf("coordinator %d on %s", c.number, c.host) }

// begin starts a coordinator.
func (h *history) begin(ctx context.Context, host string) {
	h.born++
	c := &coordinator{
		h: h, number: h.born, host: host, process: h.disk.NewProcess(), began: h.took, wake: h.took, thawed: h.took,
		probed: map[trial.AttemptID]time.Duration{},
	}
	c.folder = fmt.Sprintf("%s-%d", h.folder(host), c.number) // whose files are the host's: two processes of a host stay apart
	if err := os.Symlink(h.folder(host), c.folder); err != nil {
		h.wrong("%v", err)
		return
	}
	c.unmount = disk.Mount(c.folder, c.process)
	ctx, c.cancel = context.WithCancel(ctx)
	c.next, c.stop = iter.Pull(func(yield func(time.Duration) bool) {
		c.yield = yield
		c.err = c.live(ctx)
	})
	h.note("%s begins", c)
	h.meets()
	h.lives = append(h.lives, c)
}

// live is what the command does. It ends by a panic where the process is killed.
func (c *coordinator) live(ctx context.Context) (err error) {
	defer c.cancel()
	var db *store.DB
	defer func() {
		if r := recover(); r != nil {
			if err = errKilled; r != any(errKilled) {
				c.h.wrong("%s: %v\n%s", c, r, debug.Stack())
			}
			c.process.Kill()
		}
		if db != nil {
			if closing := db.Close(); err == nil {
				err = closing
			}
		}
		c.process.Kill()
		c.leave()
	}()
	// A statement that can be cancelled is run in a goroutine of its own, which costs as much again.
	work := context.WithoutCancel(ctx)
	if db, err = store.Open(work, filepath.Join(c.folder, database)); err != nil {
		return c.fate(err)
	}
	if c.h.lied {
		if err := db.Check(work); err != nil {
			return c.fate(err)
		}
	}
	if err := c.lead(ctx, db); err != nil {
		return c.fate(err)
	}
	return nil
}

// lead works the sweep off under a session.
func (c *coordinator) lead(ctx context.Context, db *store.DB) error {
	work := context.WithoutCancel(ctx)
	known, err := db.Snapshot(work, c.h.id)
	if err != nil {
		return err
	}
	session, err := db.StartSession(work, c.h.id, c.Now(), sweep.Coordinator{Host: c.host, PID: c.number})
	if err != nil {
		return err
	}
	c.h.checkLease(c)
	for _, other := range c.h.lives {
		other.leads = other == c
	}
	c.since, c.led = c.h.took, true
	s := sweep.Scheduler{
		Store: &watchedStore{db, c}, Exec: &watchedExecutor{c}, Capacity: c.h.capacity, Clock: c, HungAfter: hungAfter,
		Log: slog.New(slog.DiscardHandler),
	}
	if c.h.say != nil {
		s.Log = slog.New(noteHandler{h: c.h})
	}
	snapshot, err := db.Current(work, known)
	if err == nil {
		err = c.checkGrid(work, db, snapshot)
	}
	for again := err == nil; again; {
		if snapshot, err = c.takeGrid(work, db, snapshot); err == nil {
			snapshot, err = s.Run(ctx, snapshot, session)
		}
		again = errors.Is(err, sweep.ErrExtended)
	}
	if err == nil {
		err = c.conclude(work, db, snapshot)
	}
	now := c.Now()
	ending := db.EndSession(work, session, now)
	if ending == nil {
		c.h.beat(c, session, now)
	}
	if err == nil {
		err = ending
	}
	return err
}

// leave takes its folder away.
func (c *coordinator) leave() {
	if c.led {
		c.h.lived += c.h.took - c.since
	}
	c.unmount()
	_ = os.Remove(c.folder)
}

// fate tells a killed process from one that met an error.
func (c *coordinator) fate(err error) error {
	if c.process.Dead() {
		return errKilled
	}
	return err
}

// Now implements sweep.Clock.
func (c *coordinator) Now() sweep.Instant {
	return sweep.Instant{Wall: epoch.Add(c.h.took + c.h.shift), Uptime: c.h.took - c.began}
}

// After implements sweep.Clock. The world goes on while the scheduler waits, here; it may wait longer where nothing happens.
func (c *coordinator) After(d time.Duration) <-chan time.Time {
	h := c.h
	wake := h.took + h.lazy
	if next := h.fake.Next(); h.keen && !next.IsZero() {
		wake = min(wake, next.Sub(epoch))
	}
	c.pause(max(wake, h.took+d))
	c.heard = c.asked
	return passed
}

// passed is ready at once.
var passed = func() <-chan time.Time { //nolint:gochecknoglobals // a constant
	c := make(chan time.Time)
	close(c)
	return c
}()

// pause gives control back until then. Whoever was killed meanwhile does not come back.
func (c *coordinator) pause(until time.Duration) {
	if !c.process.Dead() {
		if !c.yield(until) {
			panic(errKilled)
		}
	}
	if c.process.Dead() {
		panic(errKilled)
	}
}

// freeze stops the coordinator where it is, as SIGSTOP does.
func (c *coordinator) freeze(d time.Duration) {
	c.until = c.h.took + d
	c.pause(c.until)
	c.thawed = c.h.took
}

func (c *coordinator) otherHost() string {
	if c.host == "a" {
		return "b"
	}
	return "a"
}

func (c *coordinator) die() {
	c.process.Kill()
	panic(errKilled)
}

// interrupt is a person's Ctrl-C.
func (c *coordinator) interrupt() {
	c.asked = true
	c.cancel()
}

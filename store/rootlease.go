package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

// A root on a network file system has its database on a local disk of some machine. RootLease keeps two databases from working on one root:
//
//   - ROOT/coordinator/epoch-N.json says which database of which machine works on the root since epoch N. It is made by link(2), which is
//     atomic on NFS too (open(2)), so of several that want an epoch one gets it. The highest epoch counts.
//   - ROOT/coordinator/beat.json is written anew every few seconds by the processes of that database.
//   - Another database takes the next epoch once it has seen both unchanged for takeAfter by its own clock, or has read that they were
//     given up.
//   - A holder whose last beat is older than lapseAfter does nothing more before it has taken the next epoch itself. lapseAfter and a
//     minute, for which NFS may show what was (nfs(5), acdirmax), are less than takeAfter.
//
// So no clocks are compared. A holder that is stopped between its last check and what it then does can still do that one thing.
const (
	beatEvery  = 5 * time.Second
	lapseAfter = 25 * time.Second
	takeAfter  = 90 * time.Second
	watchEvery = time.Second
)

const (
	leaseFolder = "coordinator"
	beatFile    = "beat.json"
	epochPrefix = "epoch-"
	servedFile  = "root.json" // beside the database: the root and the epoch that it worked on
)

// RootHolder is whose database works on a root.
type RootHolder struct {
	Host     string    `json:"host"`
	Boot     string    `json:"boot"`
	PID      int       `json:"pid"`      // that took the epoch
	Database string    `json:"database"` // its folder
	Since    time.Time `json:"since"`
}

func (h RootHolder) same(other RootHolder) bool {
	return h.Host == other.Host && h.Boot == other.Boot && h.Database == other.Database
}

type rootBeat struct {
	Epoch   int    `json:"epoch"`
	Beat    string `json:"beat"` // another one each time
	GivenUp bool   `json:"given_up,omitempty"`
}

// served is what a database knows of the root that it worked on last.
type served struct {
	Root  string `json:"root"`
	Epoch int    `json:"epoch"`
}

// RootHeldError is a sweep.ErrLocked that says whose database works on a root.
type RootHeldError struct {
	Root string
	RootHolder
}

func (e *RootHeldError) Error() string {
	return fmt.Sprintf("%v: the database in %s on host %s has been at work on %s since %s", sweep.ErrLocked, e.Database, e.Host, e.Root,
		e.Since.UTC().Format(time.RFC3339))
}

// Unwrap returns sweep.ErrLocked.
func (e *RootHeldError) Unwrap() error { return sweep.ErrLocked }

// RootLease is a database's right to work on a root, shared by the processes that have it open.
type RootLease struct {
	// Fresh says that another database worked on the root since this one did, or that this one never did: what it says is out of date.
	Fresh bool

	root, folder string
	me           RootHolder
	clock        sweep.Clock
	local        *fileLock

	mu      sync.Mutex
	epoch   int
	beaten  sweep.Instant // before the last beat that was written
	lost    error
	stop    chan struct{}
	stopped sync.WaitGroup
}

// TakeRoot takes the lease of a root for the database in a folder of this machine, and keeps it until Release. It fails with a
// RootHeldError while another database works on the root; to be sure it may watch for takeAfter, which say is told.
func TakeRoot(ctx context.Context, root, folder string, clock sweep.Clock, say func(string)) (*RootLease, error) {
	by, err := ThisProcess("")
	if err != nil {
		return nil, err
	}
	return takeRoot(ctx, root, RootHolder{by.Host, by.Boot, by.PID, folder, clock.Now().Wall}, clock, say)
}

func takeRoot(ctx context.Context, root string, me RootHolder, clock sweep.Clock, say func(string)) (*RootLease, error) {
	l := &RootLease{root: root, folder: me.Database, clock: clock, me: me}
	if err := l.take(ctx, say); err != nil {
		return nil, errors.Join(fmt.Errorf("take the root %s: %w", root, err), l.local.release())
	}
	l.stop = make(chan struct{})
	l.stopped.Go(l.beatOn)
	return l, nil
}

func (l *RootLease) path(name string) string { return filepath.Join(l.root, leaseFolder, name) }

func rootLockOf(folder string) string { return filepath.Join(folder, "locks", "root.lock") }

func (l *RootLease) take(ctx context.Context, say func(string)) (err error) {
	if err := l.shareLocal(ctx); err != nil {
		return err
	}
	if err := trial.MakeFolder(l.path("")); err != nil {
		return err
	}
	epoch, holder, err := l.newest()
	if err != nil {
		return err
	}
	known, err := l.served()
	if err != nil {
		return err
	}
	l.Fresh = epoch > 0 && known != served{l.root, epoch}
	if epoch > 0 && holder.same(l.me) {
		l.epoch = epoch
		return l.beat()
	}
	if epoch > 0 {
		if err := l.free(ctx, epoch, holder, say); err != nil {
			return err
		}
	}
	return l.claim(epoch + 1)
}

// shareLocal takes part in the lock of all processes of this database that hold a root.
func (l *RootLease) shareLocal(ctx context.Context) (err error) {
	for {
		if l.local, err = shareFileLock(rootLockOf(l.folder)); !errors.Is(err, errHeld) {
			return err
		}
		select { // one that gives the root up holds it alone for a moment
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// free waits until it is certain that nobody of an epoch works any more; it fails with a RootHeldError where somebody does.
func (l *RootLease) free(ctx context.Context, epoch int, holder RootHolder, say func(string)) error {
	held := &RootHeldError{l.root, holder}
	if here, err := heldHere(holder, l.me.Host, l.me.Boot); err != nil || here != nil {
		if here != nil && *here {
			return held
		}
		return err
	}
	first, err := l.lastBeat()
	if err != nil || first.Epoch == epoch && first.GivenUp {
		return err
	}
	say(fmt.Sprintf("host %s may still work on %s with its database in %s: watching for %s whether it does", holder.Host, l.root,
		holder.Database, takeAfter))
	for began := l.clock.Now().Uptime; l.clock.Now().Uptime-began < takeAfter; {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-l.clock.After(watchEvery):
		}
		now, _, err := l.newest()
		if err != nil {
			return err
		}
		beat, err := l.lastBeat()
		if err != nil {
			return err
		}
		if now != epoch || beat != first {
			return held
		}
	}
	return nil
}

// newest is the highest epoch, and who has it; 0 where none was taken yet. A folder that is opened is asked of its server anew (nfs(5),
// close-to-open).
func (l *RootLease) newest() (epoch int, holder RootHolder, err error) {
	entries, err := os.ReadDir(l.path(""))
	if err != nil {
		return 0, holder, err
	}
	for _, e := range entries {
		number, isEpoch := strings.CutPrefix(strings.TrimSuffix(e.Name(), ".json"), epochPrefix)
		if n, err := strconv.Atoi(number); isEpoch && err == nil {
			epoch = max(epoch, n)
		}
	}
	if epoch == 0 {
		return 0, holder, nil
	}
	return epoch, holder, trial.ReadSealed(l.path(epochName(epoch)), &holder)
}

func epochName(epoch int) string { return fmt.Sprintf("%s%08d.json", epochPrefix, epoch) }

func (l *RootLease) lastBeat() (b rootBeat, err error) {
	err = trial.ReadSealed(l.path(beatFile), &b)
	if errors.Is(err, fs.ErrNotExist) {
		return b, nil
	}
	return b, err
}

// claim takes an epoch, which nobody may have, and beats.
func (l *RootLease) claim(epoch int) error {
	temp := l.path(fmt.Sprintf(".%s-%d-%d", l.me.Host, l.me.PID, l.clock.Now().Wall.UnixNano()))
	if err := trial.WriteSealed(temp, l.me); err != nil {
		return err
	}
	err := os.Link(temp, l.path(epochName(epoch)))
	if errors.Is(err, fs.ErrExist) {
		now, holder, readErr := l.newest()
		if readErr == nil && now == epoch && holder.same(l.me) && holder.PID == l.me.PID {
			err = nil // the reply to a first request was lost
		} else {
			err = errors.Join(&RootHeldError{l.root, holder}, readErr)
		}
	}
	if err := errors.Join(err, os.Remove(temp)); err != nil {
		return err
	}
	if err := trial.SyncFolder(l.path("")); err != nil {
		return err
	}
	l.epoch = epoch
	return l.beat()
}

// beat tells others that this database works on the root.
func (l *RootLease) beat() error {
	began := l.clock.Now()
	epoch, holder, err := l.newest()
	if err != nil {
		return err
	}
	if epoch != l.epoch {
		if !holder.same(l.me) {
			return &RootHeldError{l.root, holder}
		}
		l.epoch = epoch // another process of this database went on after a pause
	}
	b := rootBeat{Epoch: l.epoch, Beat: fmt.Sprintf("%d at %s", l.me.PID, began.Wall.Format(time.RFC3339Nano))}
	if err := trial.WriteSealed(l.path(beatFile), b); err != nil {
		return err
	}
	l.beaten = began
	return nil
}

// lapsed reports whether the last beat is so old that another may have taken the root. Uptime stands still while the machine sleeps, and
// the time of day may jump: the longer of both counts.
func (l *RootLease) lapsed() bool {
	now := l.clock.Now()
	return max(now.Uptime-l.beaten.Uptime, now.Wall.Sub(l.beaten.Wall)) >= lapseAfter
}

// beatOn beats until the lease is given up or lost. What fails is tried again.
func (l *RootLease) beatOn() {
	for {
		select {
		case <-l.stop:
			return
		case <-l.clock.After(beatEvery):
		}
		l.mu.Lock()
		_ = l.renew()
		l.mu.Unlock()
	}
}

// renew beats, or takes the next epoch where the last beat is so old that another may take it.
func (l *RootLease) renew() error {
	if l.lost != nil {
		return l.lost
	}
	var err error
	if !l.lapsed() {
		err = l.beat()
	} else if epoch, holder, readErr := l.newest(); readErr != nil {
		err = readErr
	} else if epoch != l.epoch && !holder.same(l.me) {
		err = &RootHeldError{l.root, holder}
	} else if err = l.claim(epoch + 1); err == nil {
		err = l.Served()
	}
	if errors.Is(err, sweep.ErrLocked) {
		l.lost = err
	}
	return err
}

// Held fails with a RootHeldError once another database works on the root.
func (l *RootLease) Held() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.lost == nil && !l.lapsed() {
		return nil
	}
	if err := l.renew(); err != nil {
		return fmt.Errorf("keep the root %s: %w", l.root, err)
	}
	return nil
}

// served is what the database's folder says of the root that it worked on.
func (l *RootLease) served() (s served, err error) {
	err = trial.ReadSealed(filepath.Join(l.folder, servedFile), &s)
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	return s, err
}

// Served takes note that the database holds what happened on the root up to this epoch.
func (l *RootLease) Served() error {
	return trial.WriteSealed(filepath.Join(l.folder, servedFile), served{l.root, l.epoch})
}

// Release gives the root up: at once, where no other process of this database is at work on it.
func (l *RootLease) Release() error {
	close(l.stop)
	l.stopped.Wait()
	l.mu.Lock()
	defer l.mu.Unlock()
	err := l.local.release()
	alone, lockErr := tryFileLock(rootLockOf(l.folder))
	if lockErr != nil || l.lost != nil {
		return errors.Join(err, alone.release())
	}
	if epoch, holder, readErr := l.newest(); readErr == nil && epoch == l.epoch && holder.same(l.me) {
		err = errors.Join(err, trial.WriteSealed(l.path(beatFile), rootBeat{Epoch: l.epoch, Beat: "given up", GivenUp: true}))
	}
	return errors.Join(err, alone.release())
}

package store

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ranksweep/ranksweep/sweep"
)

// rootTest is a root and the machines whose databases may work on it.
type rootTest struct {
	t    *testing.T
	root string
	dirs map[string]string
	said string
	nap  time.Duration // that the machines have slept
}

// Now is a moment by the clocks of machines that slept for a while: uptime stands still then.
func (r *rootTest) Now() sweep.Instant {
	now := sweep.Instant{Wall: time.Now().UTC(), Uptime: time.Since(time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC))}
	now.Wall = now.Wall.Add(r.nap)
	return now
}

func (r *rootTest) After(d time.Duration) <-chan time.Time { return time.After(d) }

func newRootTest(t *testing.T, hosts ...string) *rootTest {
	t.Helper()
	r := &rootTest{t: t, root: t.TempDir(), dirs: map[string]string{}}
	for _, host := range hosts {
		r.dirs[host] = t.TempDir()
	}
	return r
}

func (r *rootTest) take(host string) (*RootLease, error) {
	return takeRoot(r.t.Context(), r.root, RootHolder{Host: host, Boot: host, PID: 7, Database: r.dirs[host]}, r,
		func(text string) { r.said += text })
}

func (r *rootTest) overtaken(host string) (*RootHolder, error) {
	return overtaken(r.root, RootHolder{Host: host, Database: r.dirs[host]})
}

func (r *rootTest) must(host string) *RootLease {
	r.t.Helper()
	l, err := r.take(host)
	if err != nil {
		r.t.Fatal(err)
	}
	if err := l.Served(); err != nil {
		r.t.Fatal(err)
	}
	return l
}

// die ends a holder as kill -9 would: nothing is written, and its lock is free.
func (r *rootTest) die(l *RootLease) {
	close(l.stop)
	l.stopped.Wait()
	if err := l.local.release(); err != nil {
		r.t.Error(err)
	}
}

// TestRootLeaseOfTwoMachines: a machine works on a root alone; another one takes over what was given up at once, and what is silent once
// it has watched it for long enough. Who was overtaken does nothing more.
func TestRootLeaseOfTwoMachines(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRootTest(t, "a", "b")
		a := r.must("a")
		if a.Fresh {
			t.Error("the first database is out of date")
		}
		began := time.Now()
		if _, err := r.take("b"); !errors.Is(err, sweep.ErrLocked) || time.Since(began) > 2*beatEvery {
			t.Fatalf("b takes what a holds: %v, after %v", err, time.Since(began))
		}
		if err := a.Release(); err != nil {
			t.Fatal(err)
		}
		began = time.Now()
		b := r.must("b")
		if by, err := r.overtaken("a"); err != nil || by == nil || by.Host != "b" {
			t.Errorf("a is told that %v worked on the root since: %v", by, err)
		}
		if by, err := r.overtaken("b"); err != nil || by != nil {
			t.Errorf("b is told that %v worked on the root since: %v", by, err)
		}
		if !b.Fresh || time.Since(began) > 0 {
			t.Errorf("b takes what was given up: fresh %t, after %v", b.Fresh, time.Since(began))
		}
		r.die(b)
		began, r.said = time.Now(), ""
		a = r.must("a")
		if took := time.Since(began); took < takeAfter || took > takeAfter+2*watchEvery || !strings.Contains(r.said, "host b") {
			t.Errorf("a takes from the silent b after %v, having said %q", took, r.said)
		}
		if !a.Fresh {
			t.Error("a does not know that b was at work meanwhile")
		}
		b.stop = make(chan struct{}) // it was only frozen
		if err := b.Held(); !errors.Is(err, sweep.ErrLocked) {
			t.Errorf("the overtaken b goes on: %v", err)
		}
		if err := a.Held(); err != nil {
			t.Errorf("a does not go on: %v", err)
		}
		if err := a.Release(); err != nil {
			t.Fatal(err)
		}
	})
}

// TestRootLeaseAfterAPause: a holder that was silent for so long that others may be about to take its place goes on under a new epoch, if
// nobody did, and then those who watched do not.
func TestRootLeaseAfterAPause(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRootTest(t, "a", "b")
		a := r.must("a")
		r.die(a)
		taken := make(chan error)
		go func() {
			_, err := r.take("b")
			taken <- err
		}()
		time.Sleep(takeAfter - 2*watchEvery)
		if err := a.Held(); err != nil || a.epoch != 2 {
			t.Errorf("a after its pause: %v, epoch %d", err, a.epoch)
		}
		if err := <-taken; !errors.Is(err, sweep.ErrLocked) {
			t.Errorf("b, which saw a come back: %v", err)
		}
	})
}

// TestRootLeaseAfterSleep: a machine that slept does nothing before it knows that the root is still its own.
func TestRootLeaseAfterSleep(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRootTest(t, "a")
		a := r.must("a")
		r.nap = time.Hour
		if err := a.Held(); err != nil || a.epoch != 2 {
			t.Errorf("a after an hour of sleep: %v, epoch %d, want the next one", err, a.epoch)
		}
		if err := RootFree(r.root); !errors.Is(err, sweep.ErrLocked) {
			t.Errorf("RootFree of a root that is worked on = %v", err)
		}
		if err := a.Release(); err != nil {
			t.Fatal(err)
		}
		if err := RootFree(r.root); err != nil {
			t.Errorf("RootFree of a root that was given up = %v", err)
		}
	})
}

// TestRootLeaseIsShared: the processes of one database work on a root together, and the last one gives it up.
func TestRootLeaseIsShared(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRootTest(t, "a", "b")
		first, second := r.must("a"), r.must("a")
		if first.epoch != second.epoch || second.Fresh {
			t.Errorf("epochs %d and %d, fresh %t", first.epoch, second.epoch, second.Fresh)
		}
		if err := first.Release(); err != nil {
			t.Fatal(err)
		}
		if _, err := r.take("b"); !errors.Is(err, sweep.ErrLocked) {
			t.Errorf("b while a second process of a works: %v", err)
		}
		if err := second.Release(); err != nil {
			t.Fatal(err)
		}
		b := r.must("b")
		if err := b.Release(); err != nil {
			t.Fatal(err)
		}
	})
}

// TestRootLeaseOnOneMachine: of two databases of one machine the second learns at once, by a lock, whether the first still works.
func TestRootLeaseOnOneMachine(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRootTest(t, "a")
		first := r.must("a")
		r.dirs["a"] = filepath.Join(t.TempDir(), "other")
		if _, err := r.take("a"); !errors.Is(err, sweep.ErrLocked) {
			t.Errorf("a second database beside the first: %v", err)
		}
		r.die(first)
		began := time.Now()
		second := r.must("a")
		if !second.Fresh || time.Since(began) > 0 {
			t.Errorf("fresh %t after %v, want at once", second.Fresh, time.Since(began))
		}
		if err := second.Release(); err != nil {
			t.Fatal(err)
		}
	})
}

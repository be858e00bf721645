package trial_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/ranksweep/ranksweep/sweep/trial"
)

// TestLocksForgiveThoseWhoAsk: one who asks whether a lock is held, however slowly, keeps nobody from taking it; one who holds it does, and
// at once.
func TestLocksForgiveThoseWhoAsk(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, trial.EventsFile)
	slow := opened(t, path)
	if shared, err := trial.ShareLock(slow); err != nil || !shared {
		t.Fatalf("ShareLock = %t, %v", shared, err)
	}
	time.AfterFunc(300*time.Millisecond, func() { _ = slow.Close() })
	held, err := trial.LockEvents(dir)
	if err != nil {
		t.Fatalf("LockEvents beside one who asks: %v", err)
	}
	began := time.Now()
	if _, err := trial.LockEvents(dir); !errors.Is(err, trial.ErrWorkerRuns) {
		t.Errorf("LockEvents beside one who holds it: %v, want ErrWorkerRuns", err)
	}
	if took := time.Since(began); took > time.Second {
		t.Errorf("that took %s", took)
	}
	if alive, err := trial.WorkerAlive(dir); err != nil || !alive {
		t.Errorf("WorkerAlive = %t, %v, want true", alive, err)
	}
	if err := held.Close(); err != nil {
		t.Fatal(err)
	}
	// A process that another test starts has the files open, and so the lock, until it runs its own program.
	for began := time.Now(); ; time.Sleep(time.Millisecond) {
		alive, err := trial.WorkerAlive(dir)
		if err == nil && !alive {
			break
		}
		if err != nil || time.Since(began) > 10*time.Second {
			t.Fatalf("WorkerAlive once it is free = %t, %v", alive, err)
		}
	}
}

// TestLocksGoToOne: of many who take a lock at once, while others ask, one gets it.
func TestLocksGoToOne(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "lock")
	opened(t, path)
	for range 20 {
		const takers = 4
		got := make(chan *os.File, takers)
		for range takers {
			f := opened(t, path)
			go func() {
				for range 20 {
					_, _ = trial.LockHeld(path)
				}
				if taken, err := trial.TakeLock(f); !taken || err != nil {
					f = nil
				}
				got <- f
			}()
		}
		n := 0
		for range takers {
			if f := <-got; f != nil {
				n++
			}
		}
		if n != 1 {
			t.Fatalf("%d took it", n)
		}
		path += "x"
		opened(t, path)
	}
}

func opened(t *testing.T, path string) *os.File {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return f
}

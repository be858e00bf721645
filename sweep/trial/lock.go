package trial

import (
	"errors"
	"io/fs"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// How long a lock may be held by one that merely asks, and how often that is looked at. It asks for microseconds, unless it is frozen
// meanwhile.
const (
	askingPatience = 2 * time.Second
	askingPause    = 10 * time.Millisecond
)

// TakeLock takes the lock of an open file, which the kernel gives back when the file is closed, or reports that another process holds it.
// Those that share it, as LockHeld does for a moment, are waited for.
func TakeLock(f *os.File) (taken bool, err error) {
	for began := time.Now(); time.Since(began) < askingPatience; time.Sleep(askingPause) {
		if taken, err := lockFile(f, unix.LOCK_EX); taken || err != nil {
			return taken, err
		}
		if shared, err := lockFile(f, unix.LOCK_SH); !shared || err != nil {
			return false, err
		}
		if err := unix.Flock(int(f.Fd()), unix.LOCK_UN); err != nil {
			return false, err
		}
	}
	return false, nil
}

// ShareLock takes the lock of an open file together with others that share it, or reports that another process has taken it for itself.
func ShareLock(f *os.File) (shared bool, err error) { return lockFile(f, unix.LOCK_SH) }

func lockFile(f *os.File, how int) (taken bool, err error) {
	err = unix.Flock(int(f.Fd()), how|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		return false, nil
	}
	return err == nil, err
}

// LockHeld reports whether a living process has taken the lock of the file at path. It creates nothing; the answer shares the lock for a
// moment, which TakeLock forgives.
func LockHeld(path string) (bool, error) {
	f, err := OpenRegular(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer f.Close() //nolint:errcheck // read only
	shared, err := ShareLock(f)
	return err == nil && !shared, err
}

package corpus

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ranksweep/ranksweep/sweep/trial"
)

// lockPoll is how often a waiting process looks again: short beside the seconds that preparing takes.
const lockPoll = 50 * time.Millisecond

// lock takes an exclusive lock on a file, made where there is none, and waits for it until ctx is done. The kernel frees it
// when the process dies. The file stays: removing it would let two processes lock two files of one name. What is no file itself, such as a
// link, is refused.
func lock(ctx context.Context, path string) (unlock func(), err error) {
	f, err := trial.OpenFile(path, os.O_RDWR)
	if err != nil {
		return nil, err
	}
	for {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil {
			return func() { f.Close() }, nil //nolint:errcheck,gosec // nothing was written; closing frees the lock
		}
		if !errors.Is(err, unix.EWOULDBLOCK) && !errors.Is(err, unix.EINTR) {
			return nil, errors.Join(fmt.Errorf("lock %s: %w", path, err), f.Close())
		}
		select {
		case <-ctx.Done():
			return nil, errors.Join(ctx.Err(), f.Close())
		case <-time.After(lockPoll):
		}
	}
}

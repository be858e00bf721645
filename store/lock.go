package store

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

// errHeld says that another process holds a file lock.
var errHeld = errors.New("lock is held")

// fileLock is a lock that the kernel gives back when its process dies, however it dies.
type fileLock struct {
	file *os.File
}

// lockPath returns the path of a lock file beside the database.
func (d *DB) lockPath(name string) string {
	return filepath.Join(filepath.Dir(d.path), "locks", name+".lock")
}

// tryFileLock takes the lock at path, or fails with errHeld.
func tryFileLock(path string) (*fileLock, error) { return openFileLock(path, trial.TakeLock) }

// shareFileLock takes the lock at path together with others that share it, or fails with errHeld.
func shareFileLock(path string) (*fileLock, error) { return openFileLock(path, trial.ShareLock) }

// openFileLock opens the lock at path, or makes it. What is no file itself, and a folder of locks that is a link, is refused.
func openFileLock(path string, take func(*os.File) (bool, error)) (*fileLock, error) {
	dir := filepath.Dir(path)
	err := os.MkdirAll(dir, 0o755)
	if err == nil {
		err = trial.CheckFolder(dir)
	}
	var f *os.File
	if err == nil {
		f, err = trial.OpenFile(path, os.O_RDWR)
	}
	if _, failed := errors.AsType[*fs.PathError](err); failed {
		err = fmt.Errorf("%w: choose a folder that can be written with --root", err)
	}
	if err != nil {
		return nil, fmt.Errorf("open lock: %w", err)
	}
	taken, err := take(f)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("lock %s: %w", path, err), f.Close())
	}
	if !taken {
		return nil, errors.Join(errHeld, f.Close())
	}
	return &fileLock{file: f}, nil
}

// writersLock is the name of the lock that everybody shares who has the database open to write.
const writersLock = "writers"

// sweepLock is the path of the lock that a sweep's coordinator holds.
func (d *DB) sweepLock(sweepID int64) string {
	return d.lockPath("sweep-" + strconv.FormatInt(sweepID, 10))
}

// Coordinated reports whether a coordinator on this host works on the sweep: whether a living process holds its lock. It
// creates nothing and works on a database that is open for reading.
func (d *DB) Coordinated(sweepID int64) (bool, error) {
	held, err := trial.LockHeld(d.sweepLock(sweepID))
	if err != nil {
		return false, fmt.Errorf("look for the coordinator of sweep %d: %w", sweepID, err)
	}
	return held, nil
}

// LockRemovals keeps other commands from removing files of a root, or from taking a removal that goes on for one that was cut short. It
// fails with sweep.ErrLocked where another one holds it.
func LockRemovals(root string) (release func() error, err error) {
	lock, err := tryFileLock(removalsLock(root))
	if errors.Is(err, errHeld) {
		return nil, fmt.Errorf("%w: another command removes files of %s: try it again", sweep.ErrLocked, root)
	}
	if err != nil {
		return nil, err
	}
	return lock.release, nil
}

// Removing reports whether a command removes files of a root right now. It creates nothing.
func Removing(root string) (bool, error) { return trial.LockHeld(removalsLock(root)) }

// AwaitRemovals waits until no command removes files of a root. What the database had before that call is not removed afterwards, because a
// removal looks at the database once it has its lock. It creates nothing.
func AwaitRemovals(ctx context.Context, root string) error {
	const pause = 20 * time.Millisecond
	for {
		removing, err := Removing(root)
		if err != nil || !removing {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause):
		}
	}
}

func removalsLock(root string) string {
	d := &DB{path: filepath.Join(root, databaseFile)}
	return d.lockPath("removals")
}

// waitFileLock takes the lock at path, waiting for its holder as long as ctx allows.
func waitFileLock(ctx context.Context, path string) (*fileLock, error) {
	const pause = 20 * time.Millisecond // a migration takes a few
	for {
		lock, err := tryFileLock(path)
		if !errors.Is(err, errHeld) {
			return lock, err
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("wait for lock %s: %w", path, ctx.Err())
		case <-time.After(pause):
		}
	}
}

// release gives the lock back. The file stays: removing it would let two processes lock two files of one name.
func (l *fileLock) release() error {
	if l == nil {
		return nil
	}
	if err := l.file.Close(); !errors.Is(err, os.ErrClosed) {
		return err
	}
	return nil // a DB may be closed twice
}

// LockTarget takes the lock of one who sends a sweep of a root somewhere, or says that another process does. Where the root cannot be
// written, as on a mounted archive, nobody is kept off.
func LockTarget(root, target string) (release func(), err error) {
	if writable := unix.Access(root, unix.W_OK) == nil; !writable {
		return func() {}, nil
	}
	sum := sha256.Sum256([]byte(target))
	lock, err := tryFileLock(filepath.Join(root, "locks", "track-"+hex.EncodeToString(sum[:8])+".lock"))
	if errors.Is(err, errHeld) {
		return nil, errors.New("another process sends this sweep there: let it, or end it first")
	}
	if err != nil {
		return nil, err
	}
	return func() { _ = lock.release() }, nil // the kernel releases it at the latest when the process ends
}

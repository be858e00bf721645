package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
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
func tryFileLock(path string) (*fileLock, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, fmt.Errorf("create the folder of the locks: %w: choose a folder that can be written with --root", err)
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, fmt.Errorf("open lock: %w: choose a folder that can be written with --root", err)
	}
	err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		return nil, errors.Join(errHeld, f.Close())
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("lock %s: %w", path, err), f.Close())
	}
	return &fileLock{file: f}, nil
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
func (l *fileLock) release() error { return l.file.Close() }

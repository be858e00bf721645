package store

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// Lost reports whether root has no database, or an empty one, though trials were run there.
func Lost(root string) bool {
	info, err := os.Lstat(filepath.Join(root, databaseFile))
	return (errors.Is(err, fs.ErrNotExist) || err == nil && info.Mode().IsRegular() && info.Size() == 0) && HasTrials(root)
}

// Recover makes the database of a root anew of what its trials' folders say, where it is Lost: a run that begins in such a root knows what
// was asked of its sweep, and which time that has spent. Unlike Repair it mends no file, and takes what workers have said while they go on.
// It fails with sweep.ErrLocked where a command still has the lost database open. more makes root ready first. The losses are what could
// not be taken in.
func Recover(ctx context.Context, root string, more func() error) (losses []Loss, recovered bool, err error) {
	if !Lost(root) {
		return nil, false, nil
	}
	if err := CheckFolder(root); err != nil {
		return nil, false, err
	}
	release, err := keepWritersOff(ctx, root, func(string) error { return nil })
	if err != nil {
		return nil, false, err
	}
	defer func() { err = errors.Join(err, release()) }()
	if err := more(); err != nil || !Lost(root) { // another one was first
		return nil, false, err
	}
	scratch, err := scratchFolder(root)
	if err != nil {
		return nil, false, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(scratch)) }()
	rebuilt := filepath.Join(scratch, databaseFile)
	if losses, err = Rebuild(ctx, root, rebuilt); err != nil {
		return losses, false, err
	}
	_, err = Replace(rebuilt, filepath.Join(root, databaseFile))
	return known(losses), err == nil, err
}

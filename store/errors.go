package store

import (
	"errors"
	"fmt"
	"path/filepath"

	"github.com/mattn/go-sqlite3"

	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

// explain adds the place and the fix to errors of SQLite that a person can fix; others pass as they are.
func (d *DB) explain(err error) error {
	var lite sqlite3.Error
	if !errors.As(err, &lite) {
		return err
	}
	var fix string
	switch lite.Code {
	case sqlite3.ErrFull:
		return fmt.Errorf("database %s: %w: %w: free some space and resume; what was recorded is kept", d.path, err, sweep.ErrFull)
	case sqlite3.ErrReadonly, sqlite3.ErrPerm, sqlite3.ErrCantOpen, sqlite3.ErrAuth:
		fix = "it and its folder must be writable: fix the permissions or choose another folder with --root"
	case sqlite3.ErrIoErr:
		fix = "the disk refused to read or write: check its health and free space, then resume"
	case sqlite3.ErrNotADB:
		fix = repairCommand(d.path) + " moves it aside and makes one of the trials' folders; or choose another --root"
	case sqlite3.ErrCorrupt:
		return fmt.Errorf("database %s: the file is damaged: %s moves it aside and makes a new one of the trials' folders (SQLite: %w)",
			d.path, repairCommand(d.path), err)
	case sqlite3.ErrBusy, sqlite3.ErrLocked:
		return fmt.Errorf("database %s: %w: %w: let it end, or close it (an open sqlite3 transaction?), then try again",
			d.path, err, sweep.ErrBusy)
	default:
		return err
	}
	return fmt.Errorf("database %s: %w: %s", d.path, err, fix)
}

// repairCommand is the command that mends the root of a database.
func repairCommand(path string) string {
	return trial.Command(filepath.Dir(path), "doctor", "--repair")
}

// corrupt reports whether SQLite finds a file damaged.
func corrupt(err error) bool {
	var lite sqlite3.Error
	return errors.As(err, &lite) && lite.Code == sqlite3.ErrCorrupt
}

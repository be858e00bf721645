package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/ranksweep/ranksweep/sweep/trial"
)

// Rebuild makes a database at path, where none may be, of what the attempts' folders below root say. The losses are what could not be
// taken in; where an error ends it nothing is left behind.
func Rebuild(ctx context.Context, root, path string) (losses []Loss, err error) {
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("rebuild database %s: %w", path, errors.Join(err, fs.ErrExist))
	}
	db, err := Open(ctx, path)
	if err != nil {
		return nil, err
	}
	losses, err = db.TakeIn(ctx, root)
	return losses, errors.Join(err, db.Close())
}

// TakeIn adds what the attempts' folders below root say and the database does not know: sweeps with their record, attempts and events.
// What it knows already stays as it is.
func (d *DB) TakeIn(ctx context.Context, root string) ([]Loss, error) {
	f, err := readFolders(root)
	if err != nil {
		return nil, fmt.Errorf("read the trials' folders: %w", err)
	}
	for _, r := range f.records {
		if err := d.takeRecord(ctx, r); passing(err) {
			return f.losses, err
		} else if err != nil {
			f.lose("sweep "+r.Name, err)
		}
	}
	for _, a := range f.attempts {
		if err := d.takeAttempt(ctx, a, f.launcher); err != nil {
			if ctx.Err() != nil || passing(err) {
				return f.losses, err
			}
			f.lose(a.dir, err)
		}
	}
	return f.losses, nil
}

// takeRecord restores a sweep that the database does not have. One of the same name was begun anew after a loss: it has the trials.
func (d *DB) takeRecord(ctx context.Context, r Record) error {
	return d.write(ctx, func(tx *sql.Tx) error {
		var there bool
		err := tx.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM sweeps WHERE created_ns = ? OR name = ?)`, r.Created, r.Name).Scan(&there)
		if err != nil || there {
			return err
		}
		return restore(ctx, tx, r)
	})
}

// errNoSweep is the loss of a trial whose sweep left no record.
var errNoSweep = errors.New("no sweep in the database has this trial, and no record of one lies beside it, as in folders of earlier " +
	"versions: run the grid again, and what was trained is taken over")

// takeAttempt adds an attempt and its events, those before the first that the database refuses.
func (d *DB) takeAttempt(ctx context.Context, a attemptFolder, launcher func(name string, at time.Time) string) error {
	assignment, err := d.assignmentOf(ctx, a)
	if err != nil {
		return err
	}
	assignment.Sweep = launcher(assignment.Sweep, a.intended)
	if err := d.BeginAttempt(ctx, a.id.Trial(), a.id.Number(), assignment, a.intended); err != nil {
		return err
	}
	err = d.AppendEvents(ctx, a.id, a.events)
	if err == nil || ctx.Err() != nil || passing(err) {
		return err
	}
	for _, e := range a.events {
		if one := d.AppendEvents(ctx, a.id, []trial.Event{e}); one != nil {
			return fmt.Errorf("what follows event %d is left out: %w", e.Seq-1, one)
		}
	}
	return nil
}

// assignmentOf is what an attempt was told. Where its spec.json is lost, the trial is known from its sweep's record.
func (d *DB) assignmentOf(ctx context.Context, a attemptFolder) (assignment trial.Assignment, err error) {
	err = d.read(ctx, func(tx *sql.Tx) error {
		t, err := scanTrial(tx.QueryRowContext(ctx, `SELECT `+trialColumns+` FROM trial_specs t WHERE t.id = ?`, a.id.Trial()))
		if errors.Is(err, sql.ErrNoRows) {
			return errNoSweep
		}
		if err != nil || a.assignment != nil {
			return err
		}
		assignment = trial.Assignment{Attempt: a.id, Trial: t}
		places, err := selectPlaces(ctx, tx, t.ID)
		if err == nil && len(places) > 0 {
			assignment.Sweep = places[0].Sweep
		}
		return err
	})
	if a.assignment != nil {
		assignment = *a.assignment
	}
	return assignment, err
}

// Replace puts a rebuilt database in the place of the one at path, which is kept aside with its write-ahead log. It returns where that
// lies; "" where there was none. A crash in between leaves either, or none where the old one had a log: see keepAside.
func Replace(rebuilt, path string) (aside string, err error) {
	for _, suffix := range []string{walSuffix, shmSuffix} { // closed, it has all in the file
		if err := os.Remove(rebuilt + suffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
	}
	if err := syncFile(rebuilt); err != nil {
		return "", err
	}
	if aside, err = keepAside(path); err != nil {
		return aside, err
	}
	if err := os.Rename(rebuilt, path); err != nil {
		return aside, err
	}
	return aside, trial.SyncFolder(filepath.Dir(path))
}

const (
	walSuffix = "-wal"
	shmSuffix = "-shm"
)

// keepAside keeps a database's files under the first name that is free. Its write-ahead log may not stay: SQLite would play it into the
// next database of that name. A database without a log stays, under both names, to be replaced. One with a log goes before that does:
// opened without it, it would lack what was written last.
func keepAside(path string) (aside string, err error) {
	aside = trial.Aside(path, walSuffix)
	info, err := os.Lstat(path + walSuffix)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	logged := err == nil && (info.Size() > 0 || !info.Mode().IsRegular())
	keep := nameTwice
	if logged {
		keep = os.Rename
		if err := nameTwice(path+walSuffix, aside+walSuffix); err != nil {
			return "", err
		}
	}
	err = keep(path, aside)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	if err != nil && !logged {
		aside = ""
	}
	if err := trial.SyncFolder(filepath.Dir(path)); err != nil {
		return aside, err
	}
	for _, suffix := range []string{walSuffix, shmSuffix} {
		if err := os.Remove(path + suffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return aside, err
		}
	}
	return aside, trial.SyncFolder(filepath.Dir(path))
}

// nameTwice gives a file another name beside its own; where there can be no two, a copy gets it, and what is no file is renamed.
func nameTwice(path, other string) error {
	info, err := os.Lstat(path)
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return os.Rename(path, other)
	}
	if err := os.Link(path, other); err == nil {
		return nil
	}
	from, err := trial.OpenRegular(path)
	if err != nil {
		return err
	}
	defer from.Close() //nolint:errcheck // read only
	return trial.WriteAtomic(other, func(w io.Writer) error {
		_, err := io.Copy(w, from)
		return err
	})
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

// Repaired says what Repair did.
type Repaired struct {
	Found   Health
	Why     string
	Aside   string       // where the database lies that was replaced; "" where it stayed
	TakenIn []Difference // what the database lacked and has now
	Gone    []Difference // what the database has and the folders do not say; of one that was replaced, what the new one lacks
	Losses  []Loss       // what the folders hold and cannot be read
	Strays  []trial.ID   // trials with folders that no sweep in a database that stays has
	Mended  []Mended     // files of the folders that were damaged or said less than the database, and that where an event had lost its data
}

// databaseFile is the database's name below a root.
const databaseFile = "sweep.db"

const repairPrefix = databaseFile + ".repair-"

// Repair makes root's database whole out of what its trials' folders say: one that is lost or damaged, or that says something else than
// they do, is moved aside and made anew; one that lacks something gets it. It fails with sweep.ErrLocked while a coordinator or a worker
// is at work, and keeps both off until it is done. Done again, it changes nothing. After a crash in between it is done again.
// While they are kept off it calls more, which mends other files.
func Repair(ctx context.Context, root string, more func() error) (r Repaired, err error) {
	if err := CheckFolder(root); err != nil {
		return r, err
	}
	release, err := exclusive(ctx, root)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, release()) }()
	if err := more(); err != nil {
		return r, err
	}
	path := filepath.Join(root, databaseFile)
	if r.Found, r.Why, err = Inspect(ctx, path); err != nil {
		return r, err
	}
	if r.Found == HealthNewer {
		return r, fmt.Errorf("database %s: %s: use a newer sweep", path, r.Why)
	}
	scratch, err := scratchFolder(root)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(scratch)) }()
	var contradicted []trial.AttemptID
	if !r.Found.Lost() {
		again, attempts, err := r.complete(ctx, root, path, scratch)
		switch {
		case corrupt(err): // SQLite leaves CHECKs out where it may only read (sqlite3AddCheckConstraint, build.c), as Inspect does
			r = Repaired{Found: HealthDamaged, Why: foundDamaged + err.Error()}
		case err != nil || !again:
			return r, err
		}
		contradicted = attempts
	}
	if r.Found == HealthMissing && !HasTrials(root) {
		return r, nil // nothing was run here
	}
	if r.Found.Lost() {
		if r.Mended, err = mendFolders(ctx, root, nil); err != nil {
			return r, err
		}
	}
	rebuilt := filepath.Join(scratch, databaseFile)
	if corrected, err := correct(ctx, root, path, scratch, contradicted); err != nil {
		return r, err
	} else if corrected != "" {
		rebuilt = corrected
	} else if r.Losses, err = Rebuild(ctx, root, rebuilt); err != nil {
		return r, err
	}
	if r.Gone, err = gone(ctx, path, rebuilt); err != nil {
		return r, err
	}
	r.Aside, err = Replace(rebuilt, path)
	return r, err
}

// scratchFolder makes a folder for a database that is being made, and removes those that a crash has left.
func scratchFolder(root string) (string, error) {
	old, err := filepath.Glob(filepath.Join(root, repairPrefix+"*"))
	if err != nil {
		return "", err
	}
	for _, dir := range old {
		if err := os.RemoveAll(dir); err != nil {
			return "", err
		}
	}
	return os.MkdirTemp(root, repairPrefix)
}

// HasTrials reports whether anything was trained in root.
func HasTrials(root string) bool {
	entries, err := os.ReadDir(filepath.Join(root, "trials"))
	return err == nil && slices.ContainsFunc(entries, func(e fs.DirEntry) bool { return trialName.MatchString(e.Name()) })
}

// complete brings a database that can be used up to date with the folders, and the folders with it. again reports that it says something
// else than the logs of attempts, and of which: "" where it is more than attempts.
func (r *Repaired) complete(ctx context.Context, root, path, scratch string) (again bool, of []trial.AttemptID, err error) {
	d := &DB{path: path, w: openWriter(path)}
	d.r = openReader(path)
	defer func() { err = errors.Join(err, d.Close()) }()
	if err := d.migrateHeld(ctx); err != nil {
		return false, nil, err
	}
	dropped, err := d.dropBare(ctx)
	if err != nil {
		return false, nil, err
	}
	mended, err := mendFolders(ctx, root, d)
	if r.Mended = append(dropped, mended...); err != nil {
		return false, nil, err
	}
	if err := d.keepRecords(ctx, root, false); err != nil { // without one an attempt's log cannot be compared
		return false, nil, err
	}
	differences, losses, err := d.Compare(ctx, root, filepath.Join(scratch, "folders.db"))
	if err != nil {
		return false, nil, err
	}
	if err := r.found(ctx, d, differences, losses); err != nil {
		return false, nil, err
	}
	if len(r.TakenIn) > 0 {
		left, err := d.takeMissing(ctx, root, filepath.Join(scratch, "again.db"))
		if err != nil {
			return false, nil, err
		}
		for _, diff := range left {
			again = true
			if diff.OfAttempt() {
				of = append(of, trial.AttemptID(diff.About))
			} else {
				of = append(of, "")
			}
		}
	}
	if again { // the record in the folders may know trials of those logs that the database does not: it stays
		r.TakenIn = nil
		return true, of, d.emptyLog(ctx)
	}
	return false, nil, d.keepRecords(ctx, root, len(r.Gone) > 0)
}

// emptyLog moves all that the write-ahead log holds into the database, which is then whole without it.
func (d *DB) emptyLog(ctx context.Context) error {
	var busy, pages, moved int
	if err := d.w.QueryRowContext(ctx, `PRAGMA wal_checkpoint(TRUNCATE)`).Scan(&busy, &pages, &moved); err != nil {
		return d.explain(err)
	}
	if busy != 0 {
		return fmt.Errorf("database %s: %w: another command reads it: let it end first", d.path, sweep.ErrLocked)
	}
	return nil
}

// found takes what a comparison of a database that can be used with the folders has found.
func (r *Repaired) found(ctx context.Context, d *DB, differences []Difference, losses []Loss) (err error) {
	if r.Strays, err = d.strays(ctx, losses); err != nil {
		return err
	}
	r.Losses = known(losses)
	for _, diff := range differences {
		if diff.Side == SideDatabase {
			r.Gone = append(r.Gone, diff)
		} else {
			r.TakenIn = append(r.TakenIn, diff)
		}
	}
	return nil
}

// Examine says what Repair would find. It changes nothing; scratch is a folder for what it makes to compare with.
func Examine(ctx context.Context, root, scratch string) (r Repaired, err error) {
	path := filepath.Join(root, databaseFile)
	if r.Found, r.Why, err = Inspect(ctx, path); err != nil {
		return r, err
	}
	if r.Found == HealthMissing && HasTrials(root) {
		r.Why = "there is none, and trials were run here"
	}
	if r.Found != HealthSound {
		f, err := readFolders(root)
		r.Losses = f.losses
		return r, err
	}
	d, err := OpenReadOnly(ctx, path)
	if err != nil {
		return r, err
	}
	differences, losses, err := d.Compare(ctx, root, filepath.Join(scratch, "folders.db"))
	err = errors.Join(err, r.found(ctx, d, differences, losses))
	if err == nil {
		r.Mended, err = d.bare(ctx)
	}
	return r, errors.Join(err, d.Close())
}

// strays are the trials of whose sweep the folders have no record and that the database does not have either.
func (d *DB) strays(ctx context.Context, losses []Loss) (ids []trial.ID, err error) {
	err = d.read(ctx, func(tx *sql.Tx) error {
		for _, l := range losses {
			id := trial.ID(filepath.Base(filepath.Dir(l.Path)))
			if !errors.Is(l.Err, errNoSweep) || slices.Contains(ids, id) {
				continue
			}
			err := mustExist(ctx, tx, "trial", `SELECT 1 FROM trial_specs WHERE id = ?`, id)
			if errors.Is(err, sweep.ErrNotFound) {
				ids = append(ids, id)
			} else if err != nil {
				return err
			}
		}
		return nil
	})
	return ids, err
}

// known are the losses of trials whose sweep is known.
func known(losses []Loss) []Loss {
	return slices.DeleteFunc(losses, func(l Loss) bool { return errors.Is(l.Err, errNoSweep) })
}

// takeMissing adds what the database lacks, and returns what it still lacks, or says otherwise.
func (d *DB) takeMissing(ctx context.Context, root, scratch string) ([]Difference, error) {
	if err := d.layViewsAnew(ctx); err != nil {
		return nil, err
	}
	if _, err := d.TakeIn(ctx, root); err != nil {
		return nil, err
	}
	differences, _, err := d.Compare(ctx, root, scratch)
	return slices.DeleteFunc(differences, func(diff Difference) bool { return diff.Side == SideDatabase }), err
}

// keepRecords writes the record of every sweep that has none in its trials' folders, or of all.
func (d *DB) keepRecords(ctx context.Context, root string, all bool) error {
	f, err := readFolders(root)
	if err != nil {
		return err
	}
	sweeps, err := d.List(ctx)
	if err != nil {
		return err
	}
	for _, s := range sweeps {
		if !all && slices.ContainsFunc(f.records, func(r Record) bool { return r.Created == unixNano(s.Created) }) {
			continue
		}
		keeper := Recorder{DB: d, Sweep: s.ID}
		if err := keeper.KeepLast(ctx, root, time.Now()); err != nil {
			return err
		}
	}
	return nil
}

// exclusive keeps those off a root who would write to its database, or fails with sweep.ErrLocked where one has it open, or a coordinator
// or a worker is at work.
func exclusive(ctx context.Context, root string) (release func() error, err error) {
	return keepWritersOff(ctx, root, NobodyWorks)
}

// keepWritersOff keeps those off a root who would write to its database, unless it is refused. It fails with sweep.ErrLocked where one has
// it open.
func keepWritersOff(ctx context.Context, root string, refused func(root string) error) (release func() error, err error) {
	d := &DB{path: filepath.Join(root, databaseFile)}
	opening, err := waitFileLock(ctx, d.lockPath("migrate")) // which opening to write waits for
	if err != nil {
		return nil, err
	}
	if err := refused(root); err != nil {
		return nil, errors.Join(err, opening.release())
	}
	writing, err := tryFileLock(d.lockPath(writersLock))
	if errors.Is(err, errHeld) {
		err = fmt.Errorf("%w: another command has the database in %s open to write: let it end first", sweep.ErrLocked, root)
	}
	if err != nil {
		return nil, errors.Join(err, opening.release())
	}
	return func() error { return errors.Join(writing.release(), opening.release()) }, nil
}

// NobodyWorks fails with sweep.ErrLocked where a coordinator or a worker is at work in root.
func NobodyWorks(root string) error {
	locks, err := filepath.Glob(filepath.Join(root, "locks", "sweep-*.lock"))
	if err != nil {
		return err
	}
	for _, path := range locks {
		held, err := trial.LockHeld(path)
		if err != nil {
			return err
		}
		if held {
			return fmt.Errorf("%w: a coordinator is at work in %s: end it first", sweep.ErrLocked, root)
		}
	}
	trials, err := os.ReadDir(filepath.Join(root, "trials"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, t := range trials {
		ids, err := trial.Attempts(root, trial.ID(t.Name()))
		if err != nil {
			continue // no folder
		}
		for _, id := range ids {
			if alive, err := trial.WorkerAlive(id.Dir(root)); err == nil && alive {
				return fmt.Errorf("%w: a worker trains attempt %s in %s: take it over with: %s, or let it end%s", sweep.ErrLocked, id, root,
					trial.Command(root, "resume"), killCommand(id.Dir(root)))
			}
		}
	}
	return nil
}

// killCommand has the worker in an attempt's folder write its checkpoint and end; nothing where the folder names no process.
func killCommand(dir string) string {
	pid, err := trial.WorkerPID(dir)
	if err != nil || pid == 0 {
		return ""
	}
	return fmt.Sprintf(", or have it write its checkpoint and end with: kill %d", pid)
}

package store

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"strings"
	"time"

	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/trial"
	"github.com/ranksweep/ranksweep/sweep/trial/cause"
)

// Mended is a file of an attempt's folder that did not say all that it had said, and was set right.
type Mended struct {
	Path  string
	Why   string // what was the matter with it
	Aside string // where it lies as it was; "" where all of it is in the new one
	Lost  string // what it had said that nothing else says; "" where nothing is lost
}

// mender sets the attempts' folders of a root right.
type mender struct {
	root   string
	d      *DB // nil where no database can be used
	known  map[trial.AttemptID]extent
	mended []Mended
}

// mendFolders sets the files of attempts' folders right that are damaged, or say less than the database d, which is nil where none can be
// used. What is damaged is kept aside. Each file is replaced at once: after a crash in between it is done again.
func mendFolders(ctx context.Context, root string, d *DB) ([]Mended, error) {
	m := mender{root: root, d: d}
	f, err := readFolders(root)
	if err != nil {
		return nil, err
	}
	if d != nil {
		if m.known, err = d.extents(ctx); err != nil {
			return nil, err
		}
	}
	for _, l := range f.losses {
		if name := filepath.Base(l.Path); errors.Is(l.Err, trial.ErrDamaged) && (IsRecord(name) || name == trial.SpecFile) {
			if err := m.mendFile(ctx, l); err != nil {
				return m.mended, err
			}
		}
	}
	for _, a := range f.attempts {
		if err := m.mendAttempt(ctx, a); err != nil {
			return m.mended, fmt.Errorf("mend attempt %s: %w", a.id, err)
		}
	}
	return m.mended, nil
}

// mendFile keeps a damaged record or spec.json aside. The record is written anew with those of all sweeps, spec.json is where the database
// has it; a repair does without, because the record knows the trial.
func (m *mender) mendFile(ctx context.Context, l Loss) error {
	aside, err := trial.MoveAside(l.Path)
	if err != nil {
		return err
	}
	m.mended = append(m.mended, Mended{Path: l.Path, Why: l.Err.Error(), Aside: aside})
	if filepath.Base(l.Path) != trial.SpecFile || m.d == nil {
		return nil
	}
	dir := filepath.Dir(l.Path)
	a, err := m.d.assigned(ctx, trial.AttemptOf(dir))
	if errors.Is(err, sweep.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	return trial.WriteAssignment(dir, a)
}

// mendAttempt sets right what an attempt's folder says of what happened.
func (m *mender) mendAttempt(ctx context.Context, a attemptFolder) error {
	_, _, logErr := trial.ReadEvents(filepath.Join(a.dir, trial.EventsFile), 0)
	word, wordErr := trial.ReadOutcome(a.dir)
	for _, err := range []error{logErr, wordErr} {
		if err != nil && !errors.Is(err, trial.ErrDamaged) {
			return nil // it cannot be read now, and may be good: it is among the losses
		}
	}
	known := m.known[a.id]
	if logErr == nil {
		logErr = known.owns(a.events)
	}
	if logErr == nil && wordErr == nil && int64(len(a.events)) >= known.last { // both count from 1
		return nil
	}
	var said []trial.Event
	if known.last > 0 {
		var err error
		if said, err = m.d.Said(ctx, a.id); err != nil {
			return err
		}
	}
	if wordErr != nil {
		path := filepath.Join(a.dir, trial.OutcomeFile)
		aside, err := trial.MoveAside(path)
		if err != nil {
			return err
		}
		m.mended = append(m.mended, Mended{Path: path, Why: wordErr.Error(), Aside: aside})
		if n := len(said); n > 0 && said[n-1].Outcome != nil {
			word = &said[n-1]
			if err := trial.WriteOutcome(a.dir, *word); err != nil {
				return err
			}
		}
	}
	return m.mendLog(a, said, word, logErr, wordErr)
}

// mendLog writes an attempt's log anew of its good lines and of what the database has. Where the attempt was damaged and has no outcome
// after that, it gets one of the coordinator's, so that its trial goes on from its checkpoint.
func (m *mender) mendLog(a attemptFolder, said []trial.Event, word *trial.Event, logErr, wordErr error) error {
	if n := len(said); word != nil && n > 0 && said[n-1].Seq == word.Seq {
		said = said[:n-1] // it stands in its own file
	}
	path := filepath.Join(a.dir, trial.EventsFile)
	events, whole, err := salvage(path, said, logErr)
	if err != nil {
		return err
	}
	damage := errors.Join(logErr, wordErr)
	var text []byte
	for _, e := range events {
		line, err := e.MarshalLine()
		if err != nil {
			return err
		}
		text = append(text, line...)
	}
	log, err := trial.ReadRegular(path, int64(len(text)))
	other := errors.Is(err, trial.ErrDamaged) // no file, or one that is longer
	if err != nil && !other && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	done := Mended{Path: path, Why: "it lacked what the database has"}
	if damage != nil {
		done.Why = damage.Error()
	}
	if !whole {
		done.Lost = fmt.Sprintf("what attempt %s said after event %d", a.id, len(events))
	}
	if other || !bytes.HasPrefix(text, log) {
		if done.Aside, err = trial.KeepAside(path); err != nil {
			return err
		}
	}
	if damage != nil {
		if err := mendWord(a.dir, events, word, whole); err != nil {
			return err
		}
	}
	if bytes.Equal(text, log) && !other {
		return nil
	}
	m.mended = append(m.mended, done)
	return trial.WriteAtomic(path, func(w io.Writer) error {
		_, err := w.Write(text)
		return err
	})
}

// salvage is trial.Salvage of a log that may be missing, no file, or another attempt's: then nothing in it counts.
func salvage(path string, said []trial.Event, logErr error) (events []trial.Event, whole bool, err error) {
	if errors.Is(logErr, trial.ErrForeign) {
		events, _, err = trial.Salvage(strings.NewReader(""), said)
		return events, len(events) > 0 && events[len(events)-1].Outcome != nil, err
	}
	f, err := trial.OpenRegular(path)
	if errors.Is(err, trial.ErrDamaged) || errors.Is(err, fs.ErrNotExist) {
		return trial.Salvage(strings.NewReader(""), said)
	}
	if err != nil {
		return nil, false, err
	}
	defer f.Close() //nolint:errcheck // read only
	return trial.Salvage(f, said)
}

// mendWord writes the coordinator's word on how a damaged attempt ended, where it is not the one that stands there.
func mendWord(dir string, events []trial.Event, word *trial.Event, whole bool) error {
	n := int64(len(events))
	switch {
	case n > 0 && events[n-1].Outcome != nil:
		return nil
	case word == nil:
		word = &trial.Event{At: time.Now().UTC(), Kind: trial.EventEnded, Outcome: damagedOutcome(events, whole)}
	case word.Seq == n+1:
		return nil
	}
	word.Seq = n + 1
	return trial.WriteOutcome(dir, *word)
}

// damagedOutcome is that of an attempt whose end nothing tells: the disk's doing, which passes.
func damagedOutcome(events []trial.Event, whole bool) *trial.Outcome {
	o := trial.Outcome{State: trial.OutcomeCrashed, Cause: cause.Disk, Error: "what it said was damaged on the disk"}
	if !whole {
		o.Error += fmt.Sprintf(": what followed event %d is lost", len(events))
	}
	for _, e := range events {
		o.Step = max(o.Step, e.Step)
	}
	return &o
}

// extent is how much the database has of what an attempt said.
type extent struct {
	last  int64     // the number of its last event
	began time.Time // when it started, of one that has ended
}

// owns fails with trial.ErrForeign where the log of an attempt of which the database knows how it ended begins as another one's. Logs of
// earlier versions do not say whose they are.
func (x extent) owns(log []trial.Event) error {
	if x.began.IsZero() || len(log) == 0 || log[0].Attempt != "" || log[0].Kind != trial.EventStarted || log[0].At.Equal(x.began) {
		return nil
	}
	return fmt.Errorf("%w, which began at %s", trial.ErrForeign, log[0].At.Format(time.RFC3339Nano))
}

// extents are those of all attempts that have said something.
func (d *DB) extents(ctx context.Context) (map[trial.AttemptID]extent, error) {
	all := map[trial.AttemptID]extent{}
	list, err := d.r.QueryContext(ctx, `SELECT a.trial_id || '/' || a.number, max(e.seq),
		ifnull(max(e.at_ns) FILTER (WHERE e.seq = 1 AND e.kind = 'started' AND o.attempt_id IS NOT NULL), 0)
		FROM attempts a JOIN events e ON e.attempt_id = a.id LEFT JOIN outcomes o ON o.attempt_id = a.id GROUP BY a.id`)
	err = each(list, err, func(r *sql.Rows) error {
		var id trial.AttemptID
		var x extent
		var began int64
		err := r.Scan(&id, &x.last, &began)
		x.began = timeOf(began)
		all[id] = x
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read the attempts' extents: %w", err)
	}
	return all, nil
}

// assigned is what an attempt was told. It fails with sweep.ErrNotFound.
func (d *DB) assigned(ctx context.Context, id trial.AttemptID) (a trial.Assignment, err error) {
	var text string
	err = d.r.QueryRowContext(ctx, `SELECT assignment FROM attempts WHERE trial_id = ? AND number = ?`, id.Trial(), id.Number()).Scan(&text)
	if errors.Is(err, sql.ErrNoRows) {
		return a, sweep.ErrNotFound
	}
	if err != nil {
		return a, fmt.Errorf("read the assignment of attempt %s: %w", id, err)
	}
	return a, decode("assignment", text, &a)
}

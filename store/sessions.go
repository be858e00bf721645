package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/ranksweep/ranksweep/sweep"
)

// LeaseTime is how long a lease held on another host lasts without a heartbeat. On the same host the file lock decides.
const LeaseTime = 30 * time.Second

// lease is a session of this process: its fencing token and the lock that proves it alive.
type lease struct {
	sweepID int64
	session int64
	began   time.Duration // uptime of its start
	lock    *fileLock
}

// Session is a coordinator's time with a sweep.
type Session struct {
	ID int64
	sweep.Coordinator
	Started   time.Time
	Heartbeat time.Time
	Ended     time.Time // zero while it runs, and after a crash
	Waits     string    // for what before it starts anything new, as of the heartbeat; empty: for nothing
}

// StartSession takes the lease of a sweep for a coordinator and returns its session. From then on every write of this DB
// is fenced: it fails with sweep.ErrLocked once another coordinator has taken over. It fails with a HeldError while another one holds
// the lease: on one machine for as long as its process lives, on another until LeaseTime after it was last heard from.
func (d *DB) StartSession(ctx context.Context, sweepID int64, now sweep.Instant, by sweep.Coordinator) (int64, error) {
	if held := d.held.Load(); held != nil {
		return 0, fmt.Errorf("start a session of sweep %d: this process holds session %d already", sweepID, held.session)
	}
	lock, err := tryFileLock(d.sweepLock(sweepID))
	if errors.Is(err, errHeld) {
		return 0, d.lockedBy(ctx, sweepID)
	}
	if err != nil {
		return 0, fmt.Errorf("start a session of sweep %d: %w", sweepID, err)
	}
	var session int64
	err = d.write(ctx, func(tx *sql.Tx) error {
		old, err := newestSession(ctx, tx, sweepID)
		if err != nil {
			return err
		}
		if old != nil && old.Ended.IsZero() && old.holds(now.Wall, by) {
			return &HeldError{Session: old, Here: old.OnMachine(by)}
		}
		session, err = insertSession(ctx, tx, sweepID, now, by)
		return err
	})
	if err != nil {
		return 0, errors.Join(fmt.Errorf("start a session of sweep %d: %w", sweepID, err), lock.release())
	}
	d.held.Store(&lease{sweepID: sweepID, session: session, began: now.Uptime, lock: lock})
	return session, nil
}

func insertSession(ctx context.Context, tx *sql.Tx, sweepID int64, now sweep.Instant, by sweep.Coordinator) (int64, error) {
	if err := mustExist(ctx, tx, "sweep", `SELECT 1 FROM sweeps WHERE id = ?`, sweepID); err != nil {
		return 0, err
	}
	res, err := tx.ExecContext(ctx, `INSERT INTO sessions
		(sweep_id, host, pid, boot_id, process_start, command, terminal, started_ns, heartbeat_ns, elapsed_ns)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 0)`,
		sweepID, by.Host, by.PID, by.Boot, by.Start, by.Command, by.Terminal, unixNano(now.Wall), unixNano(now.Wall))
	if err != nil {
		return 0, err
	}
	return res.LastInsertId()
}

// lockedBy returns a HeldError that names the process holding the sweep's file lock.
func (d *DB) lockedBy(ctx context.Context, sweepID int64) error {
	holder, err := d.Holder(ctx, sweepID)
	if err != nil {
		return errors.Join(fmt.Errorf("start a session of sweep %d: %w", sweepID, sweep.ErrLocked), err)
	}
	if holder != nil && (!holder.Ended.IsZero() || holder.Start > 0 && !running(holder.Coordinator)) {
		holder = nil // one that was before: who has the lock now has not written its session yet
	}
	return fmt.Errorf("start a session of sweep %d: %w", sweepID, &HeldError{Session: holder, Here: true})
}

// HeldError is a sweep.ErrLocked that says who holds the sweep.
type HeldError struct {
	*Session      // nil where the holder has only just begun
	Here     bool // it is a process of this machine
}

func (e *HeldError) Error() string {
	if e.Session == nil {
		return sweep.ErrLocked.Error() + ": it has just begun"
	}
	text := fmt.Sprintf("%v: host %s, process %d, since %s", sweep.ErrLocked, e.Host, e.PID, e.Started.Format(time.RFC3339))
	if !e.Here {
		text += "; it lapses at " + e.Lapses().Format(time.RFC3339) + " unless it is heard from"
	}
	return text
}

// Unwrap returns sweep.ErrLocked.
func (e *HeldError) Unwrap() error { return sweep.ErrLocked }

// Lapses returns when the lease ends, for other machines, unless the session is heard from before.
func (s *Session) Lapses() time.Time { return s.Heartbeat.Add(LeaseTime) }

// holds reports whether a session that has not ended keeps another coordinator off, which has the sweep's file lock: because the two have
// different lock files, on two machines, or on one where somebody removed the first.
func (s *Session) holds(now time.Time, from sweep.Coordinator) bool {
	if s.OnMachine(from) {
		return s.Boot == from.Boot && s.Start > 0 && running(s.Coordinator)
	}
	return now.Before(s.Lapses())
}

// Heartbeat extends the session to now, and says what its coordinator waits for. It fails with sweep.ErrLocked when the session has ended
// or lost its lease.
func (d *DB) Heartbeat(ctx context.Context, session int64, now sweep.Instant, waits string) error {
	err := d.write(ctx, func(tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, `UPDATE sessions SET heartbeat_ns = ?, elapsed_ns = max(elapsed_ns, ?), waits_for = ?
			WHERE id = ? AND `+holdsLease, unixNano(now.Wall), d.elapsed(now), waits, session)
		return oneRow(res, err)
	})
	if err != nil {
		return fmt.Errorf("heartbeat of session %d: %w", session, err)
	}
	return nil
}

// EndSession gives the lease back, if this DB has one: it goes with a sweep that is removed. It fails with sweep.ErrLocked once another
// coordinator has taken over.
func (d *DB) EndSession(ctx context.Context, session int64, now sweep.Instant) error {
	if d.held.Load() == nil {
		return nil
	}
	err := d.write(ctx, func(tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, `UPDATE sessions
			SET heartbeat_ns = ?, ended_ns = ?, elapsed_ns = max(elapsed_ns, ?)
			WHERE id = ? AND `+holdsLease, unixNano(now.Wall), unixNano(now.Wall), d.elapsed(now), session)
		return oneRow(res, err)
	})
	if err != nil {
		return fmt.Errorf("end session %d: %w", session, err)
	}
	if held := d.held.Load(); held != nil && held.session == session {
		return d.dropLease(held.sweepID)
	}
	return nil
}

// Release gives the lease back of a session that has worked nothing on its sweep, and leaves no trace of it: what was asked of the session
// before still holds. One that was itself cancelled stays, and is ended; so does one after a session that has not ended, whose coordinator
// may yet wake up and must not find itself the newest.
func (d *DB) Release(ctx context.Context, session int64, now sweep.Instant) error {
	held := d.held.Load()
	if held == nil {
		return nil
	}
	var gone int64
	err := d.write(ctx, func(tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, `DELETE FROM sessions WHERE id = ?1 AND `+holdsLease+`
			AND NOT EXISTS (SELECT 1 FROM requests WHERE session_id = ?1)
			AND ifnull((SELECT max(id) FROM sessions before WHERE before.sweep_id = sessions.sweep_id AND before.id < ?1), 0)
				NOT IN (SELECT id FROM sessions WHERE ended_ns IS NULL)`, session)
		if err != nil {
			return err
		}
		gone, err = res.RowsAffected()
		return err
	})
	if err != nil {
		return fmt.Errorf("release session %d: %w", session, err)
	}
	if gone == 0 {
		return d.EndSession(ctx, session, now)
	}
	return d.dropLease(held.sweepID)
}

// elapsed is how long the session that this DB holds has lasted, by the clock that it was started by.
func (d *DB) elapsed(now sweep.Instant) int64 {
	if held := d.held.Load(); held != nil {
		return int64(now.Uptime - held.began)
	}
	return 0
}

// holdsLease is true of the row of sessions that holds its sweep's lease.
const holdsLease = `ended_ns IS NULL AND NOT EXISTS (
	SELECT 1 FROM sessions newer WHERE newer.sweep_id = sessions.sweep_id AND newer.id > sessions.id)`

// checkLease fails with sweep.ErrLocked when this DB's session no longer holds the lease it took.
func (d *DB) checkLease(ctx context.Context, tx *sql.Tx) error {
	held := d.held.Load()
	if held == nil {
		return nil
	}
	var holds bool
	err := tx.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM sessions WHERE id = ? AND `+holdsLease+`)`, held.session).Scan(&holds)
	if err != nil {
		return err
	}
	if !holds {
		return fmt.Errorf("%w: session %d was taken over", sweep.ErrLocked, held.session)
	}
	return nil
}

// dropLease forgets the lease on a sweep, if this DB holds it, and gives its file lock back.
func (d *DB) dropLease(sweepID int64) error {
	held := d.held.Load()
	if held == nil || held.sweepID != sweepID || !d.held.CompareAndSwap(held, nil) {
		return nil
	}
	return held.lock.release()
}

// Holder returns the sweep's newest session, or nil when it had none. Ended is zero while it runs, and after a crash.
func (d *DB) Holder(ctx context.Context, sweepID int64) (*Session, error) {
	var s *Session
	err := d.read(ctx, func(tx *sql.Tx) (err error) {
		s, err = newestSession(ctx, tx, sweepID)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read the session of sweep %d: %w", sweepID, err)
	}
	return s, nil
}

func newestSession(ctx context.Context, tx *sql.Tx, sweepID int64) (*Session, error) {
	s, err := scanSession(tx.QueryRowContext(ctx, `SELECT `+sessionColumns+` FROM sessions
		WHERE sweep_id = ? ORDER BY id DESC LIMIT 1`, sweepID))
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	return s, err
}

const sessionColumns = `id, host, pid, boot_id, process_start, command, terminal, started_ns, heartbeat_ns, ended_ns, waits_for`

// scanSession reads sessionColumns, after other columns where the query has them.
func scanSession(row interface{ Scan(dest ...any) error }, before ...any) (*Session, error) {
	var s Session
	var started, heartbeat int64
	var ended sql.Null[int64]
	columns := append(before, &s.ID, &s.Host, &s.PID, &s.Boot, &s.Start, &s.Command, &s.Terminal, &started, &heartbeat, &ended, &s.Waits)
	if err := row.Scan(columns...); err != nil {
		return nil, err
	}
	s.Started, s.Heartbeat, s.Ended = timeOf(started), timeOf(heartbeat), timeOf(ended.V)
	return &s, nil
}

// oneRow turns an update that met no row into sweep.ErrLocked.
func oneRow(res sql.Result, err error) error {
	if err != nil {
		return err
	}
	n, err := res.RowsAffected()
	if err != nil {
		return err
	}
	if n == 0 {
		return sweep.ErrLocked
	}
	return nil
}

// mustExist fails with sweep.ErrNotFound when the query finds nothing.
func mustExist(ctx context.Context, tx *sql.Tx, what, query string, args ...any) error {
	var one int
	err := tx.QueryRowContext(ctx, query, args...).Scan(&one)
	if errors.Is(err, sql.ErrNoRows) {
		return fmt.Errorf("%s: %w", what, sweep.ErrNotFound)
	}
	return err
}

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
	lock    *fileLock
}

// Session is a coordinator's time with a sweep.
type Session struct {
	ID        int64
	Host      string
	PID       int
	Started   time.Time
	Heartbeat time.Time
	Ended     time.Time // zero while it runs, and after a crash
}

// StartSession takes the lease of a sweep for a coordinator and returns its session. From then on every write of this DB
// is fenced: it fails with sweep.ErrLocked once another coordinator has taken over. It fails with sweep.ErrLocked while
// another one holds the lease.
func (d *DB) StartSession(ctx context.Context, sweepID int64, now sweep.Instant, by sweep.Coordinator) (int64, error) {
	if held := d.held.Load(); held != nil {
		return 0, fmt.Errorf("start a session of sweep %d: this process holds session %d already", sweepID, held.session)
	}
	lock, err := d.takeSweepLock(ctx, sweepID)
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
		if old != nil && old.Ended.IsZero() && old.Host != by.Host && now.Wall.Before(old.Heartbeat.Add(LeaseTime)) {
			return fmt.Errorf("%w: host %s, process %d; it lapses %s after its last heartbeat, at %s",
				sweep.ErrLocked, old.Host, old.PID, LeaseTime, old.Heartbeat.Add(LeaseTime).Format(time.RFC3339))
		}
		session, err = insertSession(ctx, tx, sweepID, now, by)
		return err
	})
	if err != nil {
		return 0, errors.Join(fmt.Errorf("start a session of sweep %d: %w", sweepID, err), lock.release())
	}
	d.held.Store(&lease{sweepID: sweepID, session: session, lock: lock})
	return session, nil
}

func insertSession(ctx context.Context, tx *sql.Tx, sweepID int64, now sweep.Instant, by sweep.Coordinator) (int64, error) {
	if err := mustExist(ctx, tx, "sweep", `SELECT 1 FROM sweeps WHERE id = ?`, sweepID); err != nil {
		return 0, err
	}
	res, err := tx.ExecContext(ctx, `INSERT INTO sessions (sweep_id, host, pid, started_ns, heartbeat_ns) VALUES (?, ?, ?, ?, ?)`,
		sweepID, by.Host, by.PID, unixNano(now.Wall), unixNano(now.Wall))
	if err != nil {
		return 0, err
	}
	return res.LastInsertId()
}

// lockedBy returns an ErrLocked that names the process holding the sweep's file lock.
func (d *DB) lockedBy(ctx context.Context, sweepID int64) error {
	holder, err := d.Holder(ctx, sweepID)
	if err != nil || holder == nil {
		return errors.Join(fmt.Errorf("start a session of sweep %d: %w", sweepID, sweep.ErrLocked), err)
	}
	return fmt.Errorf("start a session of sweep %d: %w: host %s, process %d, since %s",
		sweepID, sweep.ErrLocked, holder.Host, holder.PID, holder.Started.Format(time.RFC3339))
}

// Heartbeat extends the session to now. It fails with sweep.ErrLocked when the session has ended or lost its lease.
func (d *DB) Heartbeat(ctx context.Context, session int64, now sweep.Instant) error {
	err := d.write(ctx, func(tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, `UPDATE sessions SET heartbeat_ns = max(heartbeat_ns, ?)
			WHERE id = ? AND `+holdsLease, unixNano(now.Wall), session)
		return oneRow(res, err)
	})
	if err != nil {
		return fmt.Errorf("heartbeat of session %d: %w", session, err)
	}
	return nil
}

// EndSession gives the lease back.
func (d *DB) EndSession(ctx context.Context, session int64, now sweep.Instant) error {
	err := d.write(ctx, func(tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, `UPDATE sessions
			SET heartbeat_ns = max(heartbeat_ns, ?), ended_ns = max(heartbeat_ns, ?)
			WHERE id = ? AND `+holdsLease, unixNano(now.Wall), unixNano(now.Wall), session)
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

const sessionColumns = `id, host, pid, started_ns, heartbeat_ns, ended_ns`

// scanSession reads sessionColumns, after other columns where the query has them.
func scanSession(row interface{ Scan(dest ...any) error }, before ...any) (*Session, error) {
	var s Session
	var started, heartbeat int64
	var ended sql.Null[int64]
	if err := row.Scan(append(before, &s.ID, &s.Host, &s.PID, &started, &heartbeat, &ended)...); err != nil {
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

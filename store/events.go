package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

// BeginAttempt writes the intent to launch a trial. The same attempt again changes nothing. It fails with
// sweep.ErrNotFound when the trial is not registered.
func (d *DB) BeginAttempt(ctx context.Context, trial trial.ID, number int, a trial.Assignment, at time.Time) error {
	assignment, err := encode(a)
	if err != nil {
		return err
	}
	err = d.write(ctx, func(tx *sql.Tx) error {
		if err := mustExist(ctx, tx, "trial", `SELECT 1 FROM trial_specs WHERE id = ?`, trial); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `INSERT INTO attempts (trial_id, number, intended_ns, assignment, sweep_id)
			VALUES (?, ?, ?, ?, (SELECT id FROM sweeps WHERE name = ? OR ? <> '' AND id = ? ORDER BY id = ? DESC LIMIT 1))
			ON CONFLICT (trial_id, number) DO NOTHING`, trial, number, unixNano(at), assignment, a.Sweep, a.Sweep, d.heldSweep(), d.heldSweep())
		return err
	})
	if err != nil {
		return fmt.Errorf("begin attempt %d of trial %s: %w", number, trial, err)
	}
	return nil
}

// heldSweep is the sweep of the lease that this DB holds, or 0. A coordinator launches for that one, whatever it was called when it last
// looked.
func (d *DB) heldSweep() int64 {
	if held := d.held.Load(); held != nil {
		return held.sweepID
	}
	return 0
}

// Append adds events of attempts. Those whose seq is stored already change nothing. It fails with sweep.ErrNotFound when one of the
// attempts was not begun, and writes nothing when one of the events is not valid.
func (d *DB) Append(ctx context.Context, news ...sweep.News) error {
	return d.write(ctx, func(tx *sql.Tx) error {
		for _, n := range news {
			if err := appendEvents(ctx, tx, n.Attempt, n.Events); err != nil {
				return fmt.Errorf("append events of attempt %s: %w", n.Attempt, err)
			}
		}
		return nil
	})
}

// AppendEvents is Append of one attempt.
func (d *DB) AppendEvents(ctx context.Context, id trial.AttemptID, events []trial.Event) error {
	return d.Append(ctx, sweep.News{Attempt: id, Events: events})
}

func appendEvents(ctx context.Context, tx *sql.Tx, id trial.AttemptID, events []trial.Event) error {
	attempt, err := attemptRow(ctx, tx, id)
	if err != nil {
		return err
	}
	for _, e := range events {
		if err := appendEvent(ctx, tx, attempt, e); err != nil {
			return fmt.Errorf("event %d (%s): %w", e.Seq, e.Kind, err)
		}
	}
	return nil
}

// attemptRow returns the row id of an attempt.
func attemptRow(ctx context.Context, tx *sql.Tx, id trial.AttemptID) (int64, error) {
	var row int64
	err := tx.QueryRowContext(ctx, `SELECT id FROM attempts WHERE trial_id = ? AND number = ?`, id.Trial(), id.Number()).Scan(&row)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, sweep.ErrNotFound
	}
	return row, err
}

func appendEvent(ctx context.Context, tx *sql.Tx, attempt int64, e trial.Event) error {
	res, err := tx.ExecContext(ctx, `INSERT INTO events (attempt_id, seq, at_ns, kind, step) VALUES (?, ?, ?, ?, ?)
		ON CONFLICT (attempt_id, seq) DO NOTHING`, attempt, e.Seq, unixNano(e.At), e.Kind, e.Step)
	if err != nil {
		return err
	}
	added, err := res.RowsAffected()
	if err != nil || added == 0 {
		return err
	}
	return appendFacts(ctx, tx, attempt, e)
}

// appendFacts writes what the event's kind carries.
func appendFacts(ctx context.Context, tx *sql.Tx, attempt int64, e trial.Event) error {
	switch {
	case e.Kind == trial.EventResumed, e.Kind == trial.EventCheckpoint:
		return nil
	case e.Kind == trial.EventStarted && e.Environment != nil:
		return appendEnvironment(ctx, tx, attempt, e.Seq, *e.Environment)
	case e.Kind == trial.EventPredicted && e.Prediction != nil:
		p := e.Prediction
		_, err := tx.ExecContext(ctx, `INSERT INTO predictions (attempt_id, seq, analysis_bytes, predicted_bytes, source)
			VALUES (?, ?, ?, ?, ?)`, attempt, e.Seq, p.AnalysisBytes, p.PredictedBytes, p.Source)
		return err
	case e.Kind == trial.EventPoint && e.Point != nil:
		p := e.Point
		if err := finite(p.TrainLoss, p.GradNorm, p.LearningRate); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `INSERT INTO points (attempt_id, seq, tokens, train_loss, grad_norm, learning_rate)
			VALUES (?, ?, ?, ?, ?, ?)`, attempt, e.Seq, p.Tokens, p.TrainLoss, p.GradNorm, p.LearningRate)
		return err
	case e.Kind == trial.EventEval && e.Evaluation != nil:
		return appendEvaluation(ctx, tx, attempt, e.Seq, *e.Evaluation)
	case e.Kind == trial.EventMemory && e.Memory != nil:
		m := e.Memory
		_, err := tx.ExecContext(ctx, `INSERT INTO memory_peaks
			(attempt_id, seq, host_bytes, host_source, device_bytes, device_source) VALUES (?, ?, ?, ?, ?, ?)`,
			attempt, e.Seq, m.PeakHostBytes, m.HostSource, m.PeakDeviceBytes, m.DeviceSource)
		return err
	case e.Kind == trial.EventScreened && e.Screened != nil:
		s := e.Screened
		if err := finite(s.ValLoss, s.Seconds); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `INSERT INTO screened_losses (attempt_id, seq, rank, val_loss, tokens, seconds)
			VALUES (?, ?, ?, ?, ?, ?)`, attempt, e.Seq, s.Rank, s.ValLoss, s.Tokens, s.Seconds)
		return err
	case e.Kind == trial.EventUpdates && len(e.Updates) > 0:
		return appendUpdates(ctx, tx, attempt, e.Seq, e.Updates)
	case e.Kind == trial.EventEnded && e.Outcome != nil:
		return appendOutcome(ctx, tx, attempt, e.Seq, *e.Outcome)
	}
	return errors.New("it lacks what its kind says, or the kind is unknown")
}

func appendEnvironment(ctx context.Context, tx *sql.Tx, attempt, seq int64, v trial.Environment) error {
	cores, err := encodeList(v.Cores)
	if err != nil {
		return err
	}
	if v.Versions == nil {
		v.Versions = map[string]string{}
	}
	versions, err := encode(v.Versions)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO environments (attempt_id, seq, pid, host, cores, backend, platform, plugin_path,
		plugin_version, plugin_sha256, device, versions, trainable_params) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		attempt, seq, v.PID, v.Host, cores, v.Backend, v.Platform, v.PluginPath,
		v.PluginVersion, v.PluginSHA256, v.Device, versions, v.TrainableParams)
	return err
}

func appendEvaluation(ctx context.Context, tx *sql.Tx, attempt, seq int64, v trial.Evaluation) error {
	values := []any{attempt, seq, v.ValLoss, v.Tokens, v.Seconds}
	measured := trial.AllMeasures()
	for _, m := range measured {
		if err := finiteOrNil(m.Of(v.Measures)); err != nil {
			return err
		}
		values = append(values, m.Of(v.Measures))
	}
	if err := finite(v.ValLoss, v.Seconds); err != nil {
		return err
	}
	_, err := tx.ExecContext(ctx, `INSERT INTO evaluations (attempt_id, seq, val_loss, tokens, seconds`+measureColumns("")+`)
		VALUES (?, ?, ?, ?, ?`+strings.Repeat(", ?", len(measured))+`)`, values...)
	return err
}

func appendUpdates(ctx context.Context, tx *sql.Tx, attempt, seq int64, updates []trial.ModuleUpdate) error {
	for _, u := range updates {
		if err := finite(u.Norm, u.StableRank); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `INSERT INTO module_updates (attempt_id, seq, module, norm, stable_rank) VALUES (?, ?, ?, ?, ?)`,
			attempt, seq, u.Module, u.Norm, u.StableRank)
		if err != nil {
			return err
		}
	}
	return nil
}

func appendOutcome(ctx context.Context, tx *sql.Tx, attempt, seq int64, o trial.Outcome) error {
	if err := finiteOrNil(o.ValLoss, o.LastValLoss, o.TrainLoss, o.RetainLoss, o.BaseRetain); err != nil {
		return err
	}
	_, err := tx.ExecContext(ctx, `INSERT INTO outcomes (attempt_id, seq, state, error, cause, step, micro_batch, val_loss, best_step,
		last_val_loss, train_loss, retain_loss, base_retain, tokens, train_seconds, total_seconds)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		attempt, seq, o.State, o.Error, o.Cause, o.Step, o.MicroBatch, o.ValLoss, o.BestStep,
		o.LastValLoss, o.TrainLoss, o.RetainLoss, o.BaseRetain, o.Tokens, o.TrainSeconds, o.TotalSeconds)
	return err
}

// finiteOrNil is finite for values that may be absent.
func finiteOrNil(values ...*float64) error {
	for _, v := range values {
		if v != nil {
			if err := finite(*v); err != nil {
				return err
			}
		}
	}
	return nil
}

// finite refuses NaN and infinity, which SQLite would turn into NULL or keep.
func finite(values ...float64) error {
	for _, v := range values {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return fmt.Errorf("%v is not a finite number", v)
		}
	}
	return nil
}

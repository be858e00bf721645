package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

// Said returns all events of an attempt as AppendEvents got them, in order; none of an attempt that the database does not know. Only the
// share of an Evaluation is not kept, which belongs to measurements before a sweep.
func (d *DB) Said(ctx context.Context, id trial.AttemptID) (events []trial.Event, err error) {
	err = d.read(ctx, func(tx *sql.Tx) error {
		attempt, err := attemptRow(ctx, tx, id)
		if errors.Is(err, sweep.ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		events, err = readEvents(ctx, tx, attempt)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read the events of attempt %s: %w", id, err)
	}
	return events, nil
}

// carried reads what events of a kind carry from its table, beginning with their seq.
type carried struct {
	query string
	scan  func(r *sql.Rows, of func(seq int64) *trial.Event) error
}

func readEvents(ctx context.Context, tx *sql.Tx, attempt int64) (events []trial.Event, err error) {
	at := map[int64]int{}
	list, err := tx.QueryContext(ctx, `SELECT seq, at_ns, kind, step FROM events WHERE attempt_id = ? ORDER BY seq`, attempt)
	err = each(list, err, func(r *sql.Rows) error {
		var e trial.Event
		var ns int64
		err := r.Scan(&e.Seq, &ns, &e.Kind, &e.Step)
		e.At = timeOf(ns)
		at[e.Seq] = len(events)
		events = append(events, e)
		return err
	})
	if err != nil {
		return nil, err
	}
	of := func(seq int64) *trial.Event { return &events[at[seq]] } // by foreign key each has one
	for _, c := range []carried{
		carriedEnvironment(), carriedPrediction(), carriedPoint(), carriedEvaluation(), carriedMemory(), carriedScreened(), carriedUpdates(),
		carriedOutcome(),
	} {
		list, err := tx.QueryContext(ctx, c.query, attempt)
		if err := each(list, err, func(r *sql.Rows) error { return c.scan(r, of) }); err != nil {
			return nil, err
		}
	}
	return events, nil
}

func carriedEnvironment() carried {
	return carried{`SELECT seq, pid, host, cores, backend, platform, plugin_path, plugin_version, plugin_sha256, device, versions,
		trainable_params FROM environments WHERE attempt_id = ?`, func(r *sql.Rows, of func(int64) *trial.Event) error {
		var seq int64
		var v trial.Environment
		var cores, versions string
		err := r.Scan(&seq, &v.PID, &v.Host, &cores, &v.Backend, &v.Platform, &v.PluginPath, &v.PluginVersion, &v.PluginSHA256, &v.Device,
			&versions, &v.TrainableParams)
		if err != nil {
			return err
		}
		if v.Cores, err = decodeList[int]("cores", cores); err != nil {
			return err
		}
		of(seq).Environment = &v
		return decode("versions", versions, &v.Versions)
	}}
}

func carriedPrediction() carried {
	return carried{
		`SELECT seq, analysis_bytes, predicted_bytes, source FROM predictions WHERE attempt_id = ?`,
		func(r *sql.Rows, of func(int64) *trial.Event) error {
			var seq int64
			var p trial.Prediction
			err := r.Scan(&seq, &p.AnalysisBytes, &p.PredictedBytes, &p.Source)
			of(seq).Prediction = &p
			return err
		},
	}
}

func carriedPoint() carried {
	return carried{
		`SELECT seq, tokens, train_loss, grad_norm, learning_rate FROM points WHERE attempt_id = ?`,
		func(r *sql.Rows, of func(int64) *trial.Event) error {
			var seq int64
			var p trial.Point
			err := r.Scan(&seq, &p.Tokens, &p.TrainLoss, &p.GradNorm, &p.LearningRate)
			of(seq).Point = &p
			return err
		},
	}
}

func carriedEvaluation() carried {
	return carried{
		`SELECT seq, val_loss, tokens, seconds` + measureColumns("") + ` FROM evaluations WHERE attempt_id = ?`,
		func(r *sql.Rows, of func(int64) *trial.Event) error {
			var seq int64
			var v trial.Evaluation
			err := r.Scan(append([]any{&seq, &v.ValLoss, &v.Tokens, &v.Seconds}, measureFields(&v.Measures)...)...)
			of(seq).Evaluation = &v
			return err
		},
	}
}

func carriedMemory() carried {
	return carried{
		`SELECT seq, host_bytes, host_source, device_bytes, device_source FROM memory_peaks WHERE attempt_id = ?`,
		func(r *sql.Rows, of func(int64) *trial.Event) error {
			var seq int64
			var m memoryRow
			err := r.Scan(append([]any{&seq}, m.fields()...)...)
			of(seq).Memory = &trial.Memory{
				PeakHostBytes: pointer(m.host), HostSource: m.hostSource, PeakDeviceBytes: pointer(m.device), DeviceSource: m.deviceSource,
			}
			return err
		},
	}
}

func carriedScreened() carried {
	return carried{
		`SELECT seq, rank, val_loss, tokens, seconds FROM screened_losses WHERE attempt_id = ?`,
		func(r *sql.Rows, of func(int64) *trial.Event) error {
			var seq int64
			var s trial.Screened
			err := r.Scan(&seq, &s.Rank, &s.ValLoss, &s.Tokens, &s.Seconds)
			of(seq).Screened = &s
			return err
		},
	}
}

func carriedUpdates() carried {
	return carried{
		`SELECT seq, module, norm, stable_rank FROM module_updates WHERE attempt_id = ? ORDER BY seq, module`,
		func(r *sql.Rows, of func(int64) *trial.Event) error {
			var seq int64
			var u trial.ModuleUpdate
			if err := r.Scan(&seq, &u.Module, &u.Norm, &u.StableRank); err != nil {
				return err
			}
			of(seq).Updates = append(of(seq).Updates, u)
			return nil
		},
	}
}

func carriedOutcome() carried {
	return carried{
		`SELECT seq, state, error, cause, step, micro_batch, val_loss, best_step, last_val_loss, train_loss, retain_loss,
		base_retain, tokens, train_seconds, total_seconds FROM outcomes WHERE attempt_id = ?`,
		func(r *sql.Rows, of func(int64) *trial.Event) error {
			var seq int64
			var o outcomeRow
			err := r.Scan(append([]any{&seq}, o.fields()...)...)
			of(seq).Outcome = o.outcome()
			return err
		},
	}
}

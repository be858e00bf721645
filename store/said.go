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
		if len(events) > 0 && events[0].Kind == trial.EventStarted {
			events[0].Attempt = id
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read the events of attempt %s: %w", id, err)
	}
	return events, nil
}

// carried reads what events of a kind carry from its table.
type carried struct {
	query string // its first column is the seq
	scan  func(r *sql.Rows, of func(seq int64) *trial.Event) error
}

// carry is what each row of a query holds after its seq, scanned into fields and given to its event.
func carry[T any](query string, fields func(*T) []any, give func(*trial.Event, T) error) carried {
	return carried{query, func(r *sql.Rows, of func(int64) *trial.Event) error {
		var seq int64
		var row T
		if err := r.Scan(append([]any{&seq}, fields(&row)...)...); err != nil {
			return err
		}
		return give(of(seq), row)
	}}
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
	type row struct {
		trial.Environment
		cores, versions string
	}
	return carry(`SELECT seq, pid, host, cores, backend, platform, plugin_path, plugin_version, plugin_sha256, device, versions,
		trainable_params FROM environments WHERE attempt_id = ?`,
		func(v *row) []any {
			return []any{
				&v.PID, &v.Host, &v.cores, &v.Backend, &v.Platform, &v.PluginPath, &v.PluginVersion, &v.PluginSHA256, &v.Device, &v.versions,
				&v.TrainableParams,
			}
		},
		func(e *trial.Event, v row) (err error) {
			if v.Cores, err = decodeList[int]("cores", v.cores); err != nil {
				return err
			}
			e.Environment = &v.Environment
			return decode("versions", v.versions, &v.Versions)
		})
}

func carriedPrediction() carried {
	return carry(`SELECT seq, analysis_bytes, predicted_bytes, source FROM predictions WHERE attempt_id = ?`,
		func(p *trial.Prediction) []any { return []any{&p.AnalysisBytes, &p.PredictedBytes, &p.Source} },
		func(e *trial.Event, p trial.Prediction) error { e.Prediction = &p; return nil })
}

func carriedPoint() carried {
	return carry(`SELECT seq, tokens, train_loss, grad_norm, learning_rate FROM points WHERE attempt_id = ?`,
		func(p *trial.Point) []any { return []any{&p.Tokens, &p.TrainLoss, &p.GradNorm, &p.LearningRate} },
		func(e *trial.Event, p trial.Point) error { e.Point = &p; return nil })
}

func carriedEvaluation() carried {
	return carry(`SELECT seq, val_loss, tokens, seconds`+measureColumns("")+` FROM evaluations WHERE attempt_id = ?`,
		func(v *trial.Evaluation) []any {
			return append([]any{&v.ValLoss, &v.Tokens, &v.Seconds}, measureFields(&v.Measures)...)
		},
		func(e *trial.Event, v trial.Evaluation) error { e.Evaluation = &v; return nil })
}

func carriedMemory() carried {
	return carry(`SELECT seq, host_bytes, host_source, device_bytes, device_source FROM memory_peaks WHERE attempt_id = ?`,
		(*memoryRow).fields,
		func(e *trial.Event, m memoryRow) error {
			e.Memory = &trial.Memory{
				PeakHostBytes: pointer(m.host), HostSource: m.hostSource, PeakDeviceBytes: pointer(m.device), DeviceSource: m.deviceSource,
			}
			return nil
		})
}

func carriedScreened() carried {
	return carry(`SELECT seq, rank, val_loss, tokens, seconds FROM screened_losses WHERE attempt_id = ?`,
		func(v *trial.Screened) []any { return []any{&v.Rank, &v.ValLoss, &v.Tokens, &v.Seconds} },
		func(e *trial.Event, v trial.Screened) error { e.Screened = &v; return nil })
}

func carriedUpdates() carried {
	return carry(`SELECT seq, module, norm, stable_rank FROM module_updates WHERE attempt_id = ? ORDER BY seq, module`,
		func(u *trial.ModuleUpdate) []any { return []any{&u.Module, &u.Norm, &u.StableRank} },
		func(e *trial.Event, u trial.ModuleUpdate) error { e.Updates = append(e.Updates, u); return nil })
}

func carriedOutcome() carried {
	return carry(`SELECT seq, state, error, cause, step, micro_batch, val_loss, best_step, last_val_loss, train_loss, retain_loss,
		base_retain, tokens, train_seconds, total_seconds FROM outcomes WHERE attempt_id = ?`,
		(*outcomeRow).fields,
		func(e *trial.Event, o outcomeRow) error { e.Outcome = o.outcome(); return nil })
}

package store

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

// TrainLosses returns the training loss by step of every trial of a sweep that has one, each step as the newest attempt reported it.
func (d *DB) TrainLosses(ctx context.Context, sweepID int64) (map[trial.ID][]trial.StepTrainLoss, error) {
	losses := map[trial.ID][]trial.StepTrainLoss{}
	err := d.read(ctx, func(tx *sql.Tx) error {
		// Bare columns beside max() are taken from the row of the maximum.
		rows, err := tx.QueryContext(ctx, `SELECT a.trial_id, max(a.number), e.step, p.train_loss
			FROM attempts a
			JOIN events e ON e.attempt_id = a.id AND e.kind = 'point'
			JOIN points p ON p.attempt_id = e.attempt_id AND p.seq = e.seq
			WHERE `+wholeSweep(sweepID).attempts()+` GROUP BY a.trial_id, e.step ORDER BY a.trial_id, e.step`, sweepID)
		return each(rows, err, func(rows *sql.Rows) error {
			var id trial.ID
			var attempt int
			var l trial.StepTrainLoss
			if err := rows.Scan(&id, &attempt, &l.Step, &l.TrainLoss); err != nil {
				return err
			}
			losses[id] = append(losses[id], l)
			return nil
		})
	})
	if err != nil {
		return nil, fmt.Errorf("training losses of sweep %d: %w", sweepID, err)
	}
	return losses, nil
}

// Environments returns where a sweep's trials ran: each plug-in, device and set of versions once, the oldest first. What differs between
// processes alone (id, host, cores) is left out.
func (d *DB) Environments(ctx context.Context, sweepID int64) ([]trial.Environment, error) {
	var all []trial.Environment
	err := d.read(ctx, func(tx *sql.Tx) error {
		rows, err := tx.QueryContext(ctx, `SELECT v.backend, v.platform, v.plugin_version, v.plugin_sha256, v.device, v.versions
			FROM attempts a JOIN environments v ON v.attempt_id = a.id
			WHERE `+wholeSweep(sweepID).attempts()+` GROUP BY 1, 2, 3, 4, 5, 6 ORDER BY min(a.id)`, sweepID)
		return each(rows, err, func(rows *sql.Rows) error {
			var v trial.Environment
			var versions string
			if err := rows.Scan(&v.Backend, &v.Platform, &v.PluginVersion, &v.PluginSHA256, &v.Device, &versions); err != nil {
				return err
			}
			all = append(all, v)
			return decode("versions", versions, &all[len(all)-1].Versions)
		})
	})
	if err != nil {
		return nil, fmt.Errorf("environments of sweep %d: %w", sweepID, err)
	}
	return all, nil
}

// CurveEvents returns the points, evaluations and peaks of memory of a trial as they were reported, attempt after attempt.
func (d *DB) CurveEvents(ctx context.Context, id trial.ID) ([]sweep.CurveEvent, error) {
	var events []sweep.CurveEvent
	err := d.read(ctx, func(tx *sql.Tx) error {
		rows, err := tx.QueryContext(ctx, `SELECT a.number, e.seq, e.at_ns, e.kind, e.step,
				ifnull(p.tokens, 0), ifnull(p.train_loss, 0), ifnull(p.grad_norm, 0), ifnull(p.learning_rate, 0),
				ifnull(v.val_loss, 0), ifnull(v.tokens, 0), ifnull(v.seconds, 0), m.host_bytes, m.device_bytes`+measureColumns("v.")+`
			FROM attempts a
			JOIN events e ON e.attempt_id = a.id AND e.kind IN ('point', 'eval', 'memory')
			LEFT JOIN points p ON p.attempt_id = e.attempt_id AND p.seq = e.seq
			LEFT JOIN evaluations v ON v.attempt_id = e.attempt_id AND v.seq = e.seq
			LEFT JOIN memory_peaks m ON m.attempt_id = e.attempt_id AND m.seq = e.seq
			WHERE a.trial_id = ? ORDER BY a.number, e.seq`, id)
		return each(rows, err, func(rows *sql.Rows) error {
			var e sweep.CurveEvent
			var at int64
			var p trial.Point
			var v trial.Evaluation
			var m memoryRow
			err := rows.Scan(append([]any{
				&e.Attempt, &e.Seq, &at, &e.Kind, &e.Step, &p.Tokens, &p.TrainLoss, &p.GradNorm, &p.LearningRate,
				&v.ValLoss, &v.Tokens, &v.Seconds, &m.host, &m.device,
			}, measureFields(&v.Measures)...)...)
			e.At = timeOf(at)
			switch e.Kind {
			case trial.EventPoint:
				e.Point = &p
			case trial.EventEval:
				e.Evaluation = &v
			default:
				e.Memory = &trial.Memory{PeakHostBytes: pointer(m.host), PeakDeviceBytes: pointer(m.device)}
			}
			events = append(events, e)
			return err
		})
	})
	if err != nil {
		return nil, fmt.Errorf("curve of trial %s: %w", id, err)
	}
	return events, nil
}

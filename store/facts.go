package store

import (
	"context"
	"database/sql"

	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/trial"
	"github.com/ranksweep/ranksweep/sweep/trial/cause"
)

// readFacts adds to facts what is known about the trials whose attempts a fulfil the condition which (with args), all of which have an
// entry.
func readFacts(ctx context.Context, tx *sql.Tx, facts map[trial.ID]*sweep.TrialFacts, which string, args ...any) error {
	for _, read := range []func(context.Context, *sql.Tx, map[trial.ID]*sweep.TrialFacts, string, []any) error{
		readAttempts, readEvaluations, readScreened, readPredictions, readMemory, readParams,
	} {
		if err := read(ctx, tx, facts, which, args); err != nil {
			return err
		}
	}
	return nil
}

func readAttempts(ctx context.Context, tx *sql.Tx, facts map[trial.ID]*sweep.TrialFacts, which string, args []any) error {
	texts := shared{}
	// The subqueries are look-ups in the indexes of events: no attempt's events are read in full.
	rows, err := tx.QueryContext(ctx, `SELECT a.trial_id, a.number, (SELECT name FROM sweeps WHERE id = a.sweep_id), a.intended_ns,
			ifnull(a.assignment ->> '$.micro_batch', 0), ifnull((SELECT max(seq) FROM events WHERE attempt_id = a.id), 0),
			ifnull((SELECT at_ns FROM events WHERE attempt_id = a.id ORDER BY seq DESC LIMIT 1), 0),
			ifnull((SELECT max(step) FROM events WHERE attempt_id = a.id AND kind = 'checkpoint'), -1),
			max(ifnull((SELECT max(step) FROM events WHERE attempt_id = a.id AND kind = 'point'), 0),
				ifnull((SELECT max(step) FROM events WHERE attempt_id = a.id AND kind = 'eval'), 0)),
			max(ifnull(o.tokens, 0), ifnull((SELECT p.tokens FROM events e JOIN points p ON p.attempt_id = e.attempt_id AND p.seq = e.seq
				WHERE e.attempt_id = a.id AND e.kind = 'point' ORDER BY e.step DESC LIMIT 1), 0)),
			o.state, o.error, o.cause, o.step, o.micro_batch, o.val_loss, o.best_step, o.last_val_loss, o.train_loss, o.retain_loss,
			o.base_retain, o.tokens, o.train_seconds, o.total_seconds
		FROM attempts a LEFT JOIN outcomes o ON o.attempt_id = a.id
		WHERE `+which+` ORDER BY a.trial_id, a.number`, args...)
	return each(rows, err, func(rows *sql.Rows) error {
		var tr trial.ID
		var a sweep.AttemptFacts
		var o outcomeRow
		var launchedBy sql.Null[string]
		var intended, last, tokens int64
		var step int
		columns := []any{&tr, &a.Number, &launchedBy, &intended, &a.MicroBatch, &a.LastSeq, &last, &a.CheckpointStep, &step, &tokens}
		err := rows.Scan(append(columns, o.fields()...)...)
		if err != nil {
			return err
		}
		a.ID, a.Sweep = trial.NewAttemptID(tr, a.Number), texts.text(launchedBy.V)
		a.Intended, a.LastAt = timeOf(intended), timeOf(last)
		a.Outcome = o.outcome()
		f := facts[tr]
		f.Attempts = append(f.Attempts, a)
		f.LastStep, f.Tokens = max(f.LastStep, step), max(f.Tokens, tokens)
		return nil
	})
}

// outcomeRow is an outcome that may be absent (a left join).
type outcomeRow struct {
	state                         sql.Null[trial.OutcomeState]
	message                       sql.Null[string]
	cause                         sql.Null[cause.Cause]
	step, microBatch, bestStep    sql.Null[int]
	valLoss, lastValLoss, trained sql.Null[float64]
	retained, baseRetained        sql.Null[float64]
	tokens                        sql.Null[int64]
	trainSeconds, totalSeconds    sql.Null[float64]
}

func (o *outcomeRow) fields() []any {
	return []any{
		&o.state, &o.message, &o.cause, &o.step, &o.microBatch, &o.valLoss, &o.bestStep, &o.lastValLoss, &o.trained, &o.retained,
		&o.baseRetained, &o.tokens,
		&o.trainSeconds, &o.totalSeconds,
	}
}

func (o *outcomeRow) outcome() *trial.Outcome {
	if !o.state.Valid {
		return nil
	}
	return &trial.Outcome{
		State: o.state.V, Error: o.message.V, Cause: o.cause.V, Step: o.step.V, MicroBatch: o.microBatch.V,
		ValLoss: pointer(o.valLoss), BestStep: o.bestStep.V, LastValLoss: pointer(o.lastValLoss), TrainLoss: pointer(o.trained),
		RetainLoss: pointer(o.retained), BaseRetain: pointer(o.baseRetained),
		Tokens: o.tokens.V, TrainSeconds: o.trainSeconds.V, TotalSeconds: o.totalSeconds.V,
	}
}

func readEvaluations(ctx context.Context, tx *sql.Tx, facts map[trial.ID]*sweep.TrialFacts, which string, args []any) error {
	// A bare column beside max() is taken from the row of the maximum: the newest attempt's value of a step.
	rows, err := tx.QueryContext(ctx, `SELECT a.trial_id, e.step, v.val_loss, v.seconds, max(a.number)`+measureColumns("v.")+`
		FROM attempts a
		JOIN events e ON e.attempt_id = a.id AND e.kind = 'eval'
		JOIN evaluations v ON v.attempt_id = e.attempt_id AND v.seq = e.seq
		WHERE `+which+` GROUP BY a.trial_id, e.step ORDER BY a.trial_id, e.step`, args...)
	return each(rows, err, func(rows *sql.Rows) error {
		var trial trial.ID
		var s sweep.StepLoss
		var newest int
		err := rows.Scan(append([]any{&trial, &s.Step, &s.ValLoss, &s.Seconds, &newest}, measureFields(&s.Measures)...)...)
		if err != nil {
			return err
		}
		facts[trial].Evaluations = append(facts[trial].Evaluations, s)
		return nil
	})
}

func readScreened(ctx context.Context, tx *sql.Tx, facts map[trial.ID]*sweep.TrialFacts, which string, args []any) error {
	// The view screened goes through those of all sweeps.
	rows, err := tx.QueryContext(ctx, `SELECT a.trial_id, s.rank, s.val_loss, s.tokens, s.seconds
		FROM attempts a CROSS JOIN screened_losses s ON s.attempt_id = a.id
		WHERE `+which+` ORDER BY a.trial_id, s.rank, a.number, s.seq`, args...)
	return each(rows, err, func(rows *sql.Rows) error {
		var tr trial.ID
		var s trial.Screened
		if err := rows.Scan(&tr, &s.Rank, &s.ValLoss, &s.Tokens, &s.Seconds); err != nil {
			return err
		}
		f := facts[tr]
		if n := len(f.Screened); n > 0 && f.Screened[n-1].Rank == s.Rank {
			f.Screened = f.Screened[:n-1] // the newest attempt's counts
		}
		f.Screened = append(f.Screened, s)
		return nil
	})
}

func readPredictions(ctx context.Context, tx *sql.Tx, facts map[trial.ID]*sweep.TrialFacts, which string, args []any) error {
	rows, err := tx.QueryContext(ctx, `SELECT a.trial_id, p.analysis_bytes, p.predicted_bytes, p.source
		FROM attempts a JOIN predictions p ON p.attempt_id = a.id
		WHERE `+which+` ORDER BY a.trial_id, a.number, p.seq`, args...)
	return each(rows, err, func(rows *sql.Rows) error {
		var tr trial.ID
		var p trial.Prediction
		if err := rows.Scan(&tr, &p.AnalysisBytes, &p.PredictedBytes, &p.Source); err != nil {
			return err
		}
		facts[tr].Prediction = &p
		return nil
	})
}

func readMemory(ctx context.Context, tx *sql.Tx, facts map[trial.ID]*sweep.TrialFacts, which string, args []any) error {
	rows, err := tx.QueryContext(ctx, `SELECT a.trial_id, m.host_bytes, m.host_source, m.device_bytes, m.device_source
		FROM attempts a JOIN memory_peaks m ON m.attempt_id = a.id
		WHERE `+which+` ORDER BY a.trial_id, a.number, m.seq`, args...)
	return each(rows, err, func(rows *sql.Rows) error {
		var trial trial.ID
		var next memoryRow
		if err := rows.Scan(append([]any{&trial}, next.fields()...)...); err != nil {
			return err
		}
		next.merge(&facts[trial].Memory)
		return nil
	})
}

// memoryRow is one row of memory_peaks.
type memoryRow struct {
	host, device             sql.Null[int64]
	hostSource, deviceSource string
}

func (r *memoryRow) fields() []any { return []any{&r.host, &r.hostSource, &r.device, &r.deviceSource} }

// merge raises m's peaks to the row's.
func (r *memoryRow) merge(m *trial.Memory) {
	m.PeakHostBytes, m.HostSource = larger(m.PeakHostBytes, m.HostSource, pointer(r.host), r.hostSource)
	m.PeakDeviceBytes, m.DeviceSource = larger(m.PeakDeviceBytes, m.DeviceSource, pointer(r.device), r.deviceSource)
}

// larger returns the larger peak with its source. A peak that is known beats one that is not; of two unknown ones the
// newer source stands, which says why.
func larger(peak *int64, source string, next *int64, nextSource string) (*int64, string) {
	if peak != nil && (next == nil || *next <= *peak) {
		return peak, source
	}
	return next, nextSource
}

func readParams(ctx context.Context, tx *sql.Tx, facts map[trial.ID]*sweep.TrialFacts, which string, args []any) error {
	rows, err := tx.QueryContext(ctx, `SELECT a.trial_id, v.trainable_params
		FROM attempts a JOIN environments v ON v.attempt_id = a.id
		WHERE `+which+` ORDER BY a.trial_id, a.number, v.seq`, args...)
	return each(rows, err, func(rows *sql.Rows) error {
		var trial trial.ID
		var params int64
		if err := rows.Scan(&trial, &params); err != nil {
			return err
		}
		if params > 0 {
			facts[trial].TrainableParams = params
		}
		return nil
	})
}

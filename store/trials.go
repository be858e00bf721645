package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

// Place is where a trial stands in a sweep.
type Place struct {
	Sweep  string
	Ladder int64
	Rank   int // 0 of a reference
	Seed   int64
}

// TrialRecord is a trial with everything known about it, for a person who looks into one.
type TrialRecord struct {
	sweep.TrialFacts
	Places   []Place // every sweep, ladder, rank and seed that it serves, the oldest first
	Launches []Launch
}

// Launch is an attempt in full.
type Launch struct {
	sweep.AttemptFacts
	Environment *trial.Environment // nil until the worker has said where it runs
	Prediction  *trial.Prediction
	Memory      trial.Memory
	ResumedFrom *int // the step of the checkpoint it went on from; nil when it began afresh
}

// Trial returns the trial whose id begins with prefix. It fails with sweep.ErrNotFound when there is none, and with an
// error that lists them when there are several.
func (d *DB) Trial(ctx context.Context, prefix string) (TrialRecord, error) {
	var record TrialRecord
	err := d.read(ctx, func(tx *sql.Tx) error {
		t, err := findTrial(ctx, tx, prefix)
		if err != nil {
			return err
		}
		record.TrialFacts.Trial = t.Brief()
		err = readFacts(ctx, tx, map[trial.ID]*sweep.TrialFacts{t.ID: &record.TrialFacts}, `a.trial_id = ?`, t.ID)
		if err != nil {
			return err
		}
		if record.Places, err = selectPlaces(ctx, tx, t.ID); err != nil {
			return err
		}
		record.Launches, err = selectLaunches(ctx, tx, record.TrialFacts)
		return err
	})
	if err != nil {
		return TrialRecord{}, fmt.Errorf("trial %q: %w", prefix, err)
	}
	return record, nil
}

func findTrial(ctx context.Context, tx *sql.Tx, prefix string) (trial.Trial, error) {
	const most = 8 // enough to see what to type next
	var found []trial.Trial
	rows, err := tx.QueryContext(ctx, `SELECT `+trialColumns+` FROM trial_specs t WHERE substr(t.id, 1, length(?)) = ?
		ORDER BY t.id LIMIT ?`, prefix, prefix, most)
	err = each(rows, err, func(rows *sql.Rows) error {
		t, err := scanTrial(rows)
		found = append(found, t)
		return err
	})
	switch {
	case err != nil:
		return trial.Trial{}, err
	case len(found) == 0:
		return trial.Trial{}, noTrial(ctx, tx)
	case len(found) == 1 || string(found[0].ID) == prefix:
		return found[0], nil
	}
	var ids []string
	for _, t := range found {
		ids = append(ids, string(t.ID))
	}
	return trial.Trial{}, fmt.Errorf("%w: several begin so: %s", ErrAmbiguous, strings.Join(ids, ", "))
}

// ErrAmbiguous says that a prefix fits several trials.
var ErrAmbiguous = errors.New("ambiguous")

// noTrial returns an ErrNotFound that says where the trials' ids are found.
func noTrial(ctx context.Context, tx *sql.Tx) error {
	var trials int
	if err := tx.QueryRowContext(ctx, `SELECT count(*) FROM trial_specs`).Scan(&trials); err != nil {
		return err
	}
	if trials == 0 {
		return fmt.Errorf("%w: no trial is registered yet", sweep.ErrNotFound)
	}
	return fmt.Errorf("%w: `sweep status` lists the ids of the %d there are", sweep.ErrNotFound, trials)
}

func selectPlaces(ctx context.Context, tx *sql.Tx, trial trial.ID) ([]Place, error) {
	var places []Place
	rows, err := tx.QueryContext(ctx, `SELECT s.name, l.id, lt.rank, t.spec ->> '$.seed'
		FROM (SELECT ladder_id, rank, trial_id FROM rung_trials WHERE trial_id = ?1
			UNION ALL SELECT ladder_id, rank, trial_id FROM scout_trials WHERE trial_id = ?1
			UNION ALL SELECT ladder_id, 0, trial_id FROM reference_trials WHERE trial_id = ?1) lt
		JOIN ladders l ON l.id = lt.ladder_id JOIN sweeps s ON s.id = l.sweep_id JOIN trial_specs t ON t.id = lt.trial_id
		ORDER BY l.id`, trial)
	err = each(rows, err, func(rows *sql.Rows) error {
		var p Place
		err := rows.Scan(&p.Sweep, &p.Ladder, &p.Rank, &p.Seed)
		places = append(places, p)
		return err
	})
	return places, err
}

// TrialPlace is a trial's id with a place of it.
type TrialPlace struct {
	ID trial.ID
	Place
}

// Trials returns every trial with its newest place, by id: enough to tell them apart, and quick of many.
func (d *DB) Trials(ctx context.Context) (trials []TrialPlace, err error) {
	err = d.read(ctx, func(tx *sql.Tx) error {
		rows, err := tx.QueryContext(ctx, `SELECT lt.trial_id, s.name, max(l.id), lt.rank, t.spec ->> '$.seed'
			FROM (SELECT ladder_id, rank, trial_id FROM rung_trials
				UNION ALL SELECT ladder_id, rank, trial_id FROM scout_trials
				UNION ALL SELECT ladder_id, 0, trial_id FROM reference_trials) lt
			JOIN ladders l ON l.id = lt.ladder_id JOIN sweeps s ON s.id = l.sweep_id JOIN trial_specs t ON t.id = lt.trial_id
			GROUP BY lt.trial_id ORDER BY lt.trial_id`)
		return each(rows, err, func(rows *sql.Rows) error {
			var t TrialPlace
			err := rows.Scan(&t.ID, &t.Sweep, &t.Ladder, &t.Rank, &t.Seed)
			trials = append(trials, t)
			return err
		})
	})
	if err != nil {
		return nil, fmt.Errorf("list trials: %w", err)
	}
	return trials, nil
}

func selectLaunches(ctx context.Context, tx *sql.Tx, t sweep.TrialFacts) ([]Launch, error) {
	var launches []Launch
	for _, a := range t.Attempts {
		l := Launch{AttemptFacts: a}
		row, err := attemptRow(ctx, tx, a.ID)
		if err != nil {
			return nil, err
		}
		if l.Environment, err = selectEnvironment(ctx, tx, row); err != nil {
			return nil, err
		}
		if l.Prediction, err = selectPrediction(ctx, tx, row); err != nil {
			return nil, err
		}
		if l.Memory, err = selectMemory(ctx, tx, row); err != nil {
			return nil, err
		}
		var resumed sql.Null[int]
		err = tx.QueryRowContext(ctx, `SELECT max(step) FROM events WHERE attempt_id = ? AND kind = 'resumed'`, row).Scan(&resumed)
		if err != nil {
			return nil, err
		}
		l.ResumedFrom = pointer(resumed)
		launches = append(launches, l)
	}
	return launches, nil
}

func selectEnvironment(ctx context.Context, tx *sql.Tx, attempt int64) (*trial.Environment, error) {
	var v trial.Environment
	var cores, versions string
	err := tx.QueryRowContext(ctx, `SELECT pid, host, cores, backend, platform, plugin_path, plugin_version, plugin_sha256,
			device, versions, trainable_params
		FROM environments WHERE attempt_id = ? ORDER BY seq DESC LIMIT 1`, attempt).
		Scan(&v.PID, &v.Host, &cores, &v.Backend, &v.Platform, &v.PluginPath, &v.PluginVersion, &v.PluginSHA256,
			&v.Device, &versions, &v.TrainableParams)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if v.Cores, err = decodeList[int]("cores", cores); err != nil {
		return nil, err
	}
	return &v, decode("versions", versions, &v.Versions)
}

func selectPrediction(ctx context.Context, tx *sql.Tx, attempt int64) (*trial.Prediction, error) {
	var p trial.Prediction
	err := tx.QueryRowContext(ctx, `SELECT analysis_bytes, predicted_bytes, source FROM predictions
		WHERE attempt_id = ? ORDER BY seq DESC LIMIT 1`, attempt).Scan(&p.AnalysisBytes, &p.PredictedBytes, &p.Source)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return &p, nil
}

func selectMemory(ctx context.Context, tx *sql.Tx, attempt int64) (trial.Memory, error) {
	var m trial.Memory
	rows, err := tx.QueryContext(ctx, `SELECT host_bytes, host_source, device_bytes, device_source FROM memory_peaks
		WHERE attempt_id = ? ORDER BY seq`, attempt)
	err = each(rows, err, func(rows *sql.Rows) error {
		var next memoryRow
		err := rows.Scan(next.fields()...)
		next.merge(&m)
		return err
	})
	return m, err
}

// PointRow is one optimiser step of a trial, as its newest attempt reported it.
type PointRow struct {
	Attempt int
	Step    int
	At      time.Time
	trial.Point
}

// Points returns the trial's curve by step.
func (d *DB) Points(ctx context.Context, trial trial.ID) ([]PointRow, error) {
	var points []PointRow
	err := d.read(ctx, func(tx *sql.Tx) error {
		rows, err := tx.QueryContext(ctx, `SELECT max(a.number), e.step, e.at_ns, p.tokens, p.train_loss, p.grad_norm, p.learning_rate
			FROM attempts a
			JOIN events e ON e.attempt_id = a.id AND e.kind = 'point'
			JOIN points p ON p.attempt_id = e.attempt_id AND p.seq = e.seq
			WHERE a.trial_id = ? GROUP BY e.step ORDER BY e.step`, trial)
		return each(rows, err, func(rows *sql.Rows) error {
			var p PointRow
			var at int64
			err := rows.Scan(&p.Attempt, &p.Step, &at, &p.Tokens, &p.TrainLoss, &p.GradNorm, &p.LearningRate)
			p.At = timeOf(at)
			points = append(points, p)
			return err
		})
	})
	if err != nil {
		return nil, fmt.Errorf("points of trial %s: %w", trial, err)
	}
	return points, nil
}

// EvalRow is one evaluation of a trial, as its newest attempt reported it.
type EvalRow struct {
	Attempt int
	Step    int
	At      time.Time
	trial.Evaluation
}

// Evals returns the trial's evaluations by step.
func (d *DB) Evals(ctx context.Context, trial trial.ID) ([]EvalRow, error) {
	var evals []EvalRow
	err := d.read(ctx, func(tx *sql.Tx) error {
		rows, err := tx.QueryContext(ctx, `SELECT max(a.number), e.step, e.at_ns, v.val_loss, v.tokens, v.seconds`+measureColumns("v.")+`
			FROM attempts a
			JOIN events e ON e.attempt_id = a.id AND e.kind = 'eval'
			JOIN evaluations v ON v.attempt_id = e.attempt_id AND v.seq = e.seq
			WHERE a.trial_id = ? GROUP BY e.step ORDER BY e.step`, trial)
		return each(rows, err, func(rows *sql.Rows) error {
			var v EvalRow
			var at int64
			err := rows.Scan(append([]any{&v.Attempt, &v.Step, &at, &v.ValLoss, &v.Tokens, &v.Seconds}, measureFields(&v.Measures)...)...)
			v.At = timeOf(at)
			evals = append(evals, v)
			return err
		})
	})
	if err != nil {
		return nil, fmt.Errorf("evaluations of trial %s: %w", trial, err)
	}
	return evals, nil
}

// LastPoints returns the newest attempt's last step of each of the trials that has one.
func (d *DB) LastPoints(ctx context.Context, trials []trial.ID) (map[trial.ID]PointRow, error) {
	ids, err := encodeList(trials)
	if err != nil {
		return nil, err
	}
	last := map[trial.ID]PointRow{}
	err = d.read(ctx, func(tx *sql.Tx) error {
		// Bare columns beside max() are taken from the row of the maximum: the newest attempt that has a step.
		rows, err := tx.QueryContext(ctx, `SELECT a.trial_id, max(a.number), e.step, e.at_ns, p.tokens, p.train_loss, p.grad_norm, p.learning_rate
			FROM attempts a
			JOIN events e ON e.attempt_id = a.id AND e.kind = 'point'
				AND e.step = (SELECT max(step) FROM events WHERE attempt_id = a.id AND kind = 'point')
			JOIN points p ON p.attempt_id = e.attempt_id AND p.seq = e.seq
			WHERE a.trial_id IN (SELECT value FROM json_each(?)) GROUP BY a.trial_id`, ids)
		return each(rows, err, func(rows *sql.Rows) error {
			var trial trial.ID
			var p PointRow
			var at int64
			err := rows.Scan(&trial, &p.Attempt, &p.Step, &at, &p.Tokens, &p.TrainLoss, &p.GradNorm, &p.LearningRate)
			p.At = timeOf(at)
			last[trial] = p
			return err
		})
	})
	if err != nil {
		return nil, fmt.Errorf("last points of %d trials: %w", len(trials), err)
	}
	return last, nil
}

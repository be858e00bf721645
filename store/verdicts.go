package store

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/ranksweep/ranksweep/sweep"
	"github.com/ranksweep/ranksweep/sweep/plateau"
	"github.com/ranksweep/ranksweep/sweep/trial"
)

// newestWish is when a person last wished something of the sweep of ladder l that its verdicts have to be found anew with; 0: never.
const newestWish = `(SELECT ifnull(max(at_ns), 0) FROM (
	SELECT at_ns FROM confirmations WHERE sweep_id = l.sweep_id
	UNION ALL SELECT at_ns FROM requests WHERE sweep_id = l.sweep_id AND kind = 'retry'
	UNION ALL SELECT at_ns FROM grids WHERE sweep_id = l.sweep_id))`

// RecordVerdict appends a verdict unless it is equal to the ladder's latest, which was found since the newest wish. It is never older than
// a wish that it was found with, whatever became of the time of day.
func (d *DB) RecordVerdict(ctx context.Context, ladder int64, v plateau.Verdict, at time.Time) error {
	text, err := encode(v)
	if err != nil {
		return err
	}
	err = d.write(ctx, func(tx *sql.Tx) error {
		var latest string
		var counts bool
		err := tx.QueryRowContext(ctx, `SELECT v.verdict, v.at_ns >= `+newestWish+` FROM ladder_verdicts v JOIN ladders l ON l.id = v.ladder_id
			WHERE l.id = ? ORDER BY v.id DESC LIMIT 1`, ladder).Scan(&latest, &counts)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		if latest == text && counts {
			return nil
		}
		hash, err := inputsHash(ctx, tx, ladder, v)
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `INSERT INTO ladder_verdicts (ladder_id, at_ns, rule_version, inputs_hash, verdict)
			SELECT l.id, max(?2, `+newestWish+`), ?3, ?4, ?5 FROM ladders l WHERE l.id = ?1`, ladder, unixNano(at), plateau.Version, hash, text)
		return err
	})
	if err != nil {
		return fmt.Errorf("record the verdict of ladder %d: %w", ladder, err)
	}
	return nil
}

// inputsHash returns the SHA-256 over what a verdict's decisions rest on: the rule's settings, the strategy, the limits, the outcomes
// of the ladder's trials, and, where it is screened or scouted, what that showed; of an outraced ladder also the outcomes of the one that
// is ahead and what its scout showed. What a running or limited ladder's verdict says beside them (how far it is, the time used,
// step-limited, what the next rank would need) comes from other facts: two verdicts of one hash may differ in it.
func inputsHash(ctx context.Context, tx *sql.Tx, ladder int64, v plateau.Verdict) (string, error) {
	if err := mustExist(ctx, tx, "ladder", `SELECT 1 FROM ladders WHERE id = ?`, ladder); err != nil {
		return "", err
	}
	h := sha256.New()
	// Encoding goes through Go: SQLite's own JSON keeps 15 digits of a number.
	lines := json.NewEncoder(h)
	var rule struct {
		MinGain, Confidence, NoiseSD           float64
		Relative, Maximize                     bool
		Patience, Memory, SweepTime, TrialTime int64
		Stop                                   string
		MaxSeeds, Confirm                      int64 // those asked for by a wish; 0: none
		Strategy                               sweep.Strategy
		SeedsPerRank                           plateau.SeedsPerRank
		Race                                   bool  `json:",omitempty"` // hashes of before stay what they were
		Tokens                                 int64 `json:",omitempty"`
	}
	err := tx.QueryRowContext(ctx, `SELECT s.min_gain, s.confidence, r.noise_sd, s.min_gain_relative, s.maximize, s.patience,
			s.memory_limit, s.time_limit_ns, s.trial_time_ns, s.stop, s.max_seeds,
			(SELECT ifnull(max(max_seeds), 0) FROM confirmations WHERE sweep_id = s.id), s.strategy, s.seeds_per_rank, s.race,
			s.tokens_limit
		FROM ladders l JOIN sweeps s ON s.id = l.sweep_id JOIN registrations r ON r.sweep_id = s.id WHERE l.id = ?`, ladder).
		Scan(&rule.MinGain, &rule.Confidence, &rule.NoiseSD, &rule.Relative, &rule.Maximize, &rule.Patience,
			&rule.Memory, &rule.SweepTime, &rule.TrialTime, &rule.Stop, &rule.MaxSeeds, &rule.Confirm, &rule.Strategy, &rule.SeedsPerRank,
			&rule.Race, &rule.Tokens)
	if err != nil {
		return "", err
	}
	if err := lines.Encode(rule); err != nil {
		return "", err
	}
	ahead := -1 // its position; none has this one
	if v.Reason.Code == plateau.ReasonOutraced || v.Reason.Code == plateau.ReasonOutscouted {
		ahead = v.Reason.Count - 1
	}
	rows, err := tx.QueryContext(ctx, `SELECT lt.trial_id, o.state, o.error, o.cause, o.step, o.micro_batch, o.val_loss, o.best_step,
			o.last_val_loss, o.train_loss, o.retain_loss, o.base_retain, o.tokens, o.train_seconds, o.total_seconds
		FROM rung_trials lt JOIN ladders l ON l.id = lt.ladder_id LEFT JOIN trial_outcomes o ON o.trial_id = lt.trial_id
		WHERE l.id = ? OR l.sweep_id = (SELECT sweep_id FROM ladders WHERE id = ?) AND l.position = ?
		ORDER BY l.id <> ?, lt.rank, lt.candidate, lt.seed`, ladder, ladder, ahead, ladder)
	err = each(rows, err, func(rows *sql.Rows) error {
		var trial trial.ID
		var o outcomeRow
		if err := rows.Scan(append([]any{&trial}, o.fields()...)...); err != nil {
			return err
		}
		return lines.Encode([]any{trial, o.state.V, pointer(o.valLoss), pointer(o.lastValLoss), pointer(o.trained)})
	})
	if err == nil {
		err = hashScreened(ctx, tx, lines, rule.Strategy, ladder, ahead)
	}
	return hex.EncodeToString(h.Sum(nil)), err
}

// hashScreened writes what a screening or scouts showed, those of the ladder that is ahead among them; nothing for other strategies.
func hashScreened(ctx context.Context, tx *sql.Tx, lines *json.Encoder, strategy sweep.Strategy, ladder int64, ahead int) error {
	var query string
	args := []any{ladder}
	switch {
	case strategy == sweep.StrategyScreen:
		query = `SELECT lt.trial_id, s.rank, s.val_loss FROM rung_trials lt JOIN screened s ON s.trial_id = lt.trial_id
			WHERE lt.ladder_id = ? ORDER BY lt.rank, lt.candidate, lt.seed, s.rank`
	case strategy.Scouts():
		query = `SELECT lt.trial_id, s.rank, s.val_loss FROM (SELECT trial_id, rank, val_loss FROM screened
				UNION ALL SELECT st.trial_id, st.rank, o.val_loss FROM scout_trials st JOIN trial_outcomes o ON o.trial_id = st.trial_id
				WHERE o.val_loss IS NOT NULL) s JOIN scout_trials lt ON lt.trial_id = s.trial_id JOIN ladders l ON l.id = lt.ladder_id
			WHERE l.id = ? OR l.sweep_id = (SELECT sweep_id FROM ladders WHERE id = ?) AND l.position = ?
			ORDER BY l.id <> ?, lt.rank, lt.candidate, s.rank`
		args = []any{ladder, ladder, ahead, ladder}
	default:
		return nil
	}
	rows, err := tx.QueryContext(ctx, query, args...)
	return each(rows, err, func(rows *sql.Rows) error {
		var trial trial.ID
		var rank int
		var loss float64
		if err := rows.Scan(&trial, &rank, &loss); err != nil {
			return err
		}
		return lines.Encode([]any{trial, rank, loss})
	})
}

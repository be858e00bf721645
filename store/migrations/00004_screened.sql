-- strategy: screen trains the largest rank first and keeps the losses of its adapters truncated to lower ranks.

-- +goose Up

ALTER TABLE sweeps ADD COLUMN strategy TEXT NOT NULL DEFAULT 'ladder' CHECK (strategy IN ('ladder', 'screen'));

-- A further kind of event. SQLite cannot alter a CHECK, and a copy of the table would have to take along every table that
-- refers to it; what follows is its documented way for constraints that let more pass (sqlite.org/lang_altertable.html, 7).
PRAGMA writable_schema = ON;
UPDATE sqlite_schema SET sql = replace(sql, '''memory'', ''ended''', '''memory'', ''screened'', ''ended''')
WHERE type = 'table' AND name = 'events';
PRAGMA writable_schema = RESET;

-- The best adapter of a trained trial, its updates replaced by their best approximations of a lower rank.
CREATE TABLE screened_losses (
    attempt_id INTEGER NOT NULL,
    seq        INTEGER NOT NULL,
    rank       INTEGER NOT NULL CHECK (rank >= 1),
    val_loss   REAL    NOT NULL CHECK (abs(val_loss) < 9e999),
    tokens     INTEGER NOT NULL CHECK (tokens >= 0),
    seconds    REAL    NOT NULL CHECK (seconds >= 0 AND seconds < 9e999),
    PRIMARY KEY (attempt_id, seq),
    FOREIGN KEY (attempt_id, seq) REFERENCES events (attempt_id, seq)
) STRICT, WITHOUT ROWID;

-- The outcome that ended each trial: what is done stays so, whatever becomes of a later attempt that screens it; of other ends
-- the newest attempt's.
DROP VIEW trial_outcomes;
CREATE VIEW trial_outcomes AS
SELECT trial_id, state, error, step, val_loss, best_step, last_val_loss, train_loss, retain_loss, base_retain, tokens, train_seconds, total_seconds
FROM (
    SELECT a.trial_id, o.*, row_number() OVER (PARTITION BY a.trial_id ORDER BY o.state = 'done' DESC, a.number DESC) AS newest
    FROM attempts a
    JOIN outcomes o ON o.attempt_id = a.id
    JOIN outcome_states s ON s.state = o.state AND s.ends_trial
)
WHERE newest = 1;

-- screened: one row per trial and rank that its adapter was truncated to, the newest attempt's. These losses point to ranks to
-- train; they are no rank's val_loss.
CREATE VIEW screened AS
SELECT trial_id, rank, val_loss, tokens, seconds
FROM (
    SELECT a.trial_id, s.*, row_number() OVER (PARTITION BY a.trial_id, s.rank ORDER BY a.number DESC, s.seq DESC) AS newest
    FROM attempts a JOIN screened_losses s ON s.attempt_id = a.id
)
WHERE newest = 1
ORDER BY trial_id, rank;

-- +goose Down
-- There is no way back: a database holds results that took hours. Restore a copy instead.
SELECT 1;

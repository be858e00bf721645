-- What each module's trained update is like, once a trial has ended.

-- +goose Up

-- A further kind of event, as in 00004.
PRAGMA writable_schema = ON;
UPDATE sqlite_schema SET sql = replace(sql, '''screened'', ', '''screened'', ''updates'', ')
WHERE type = 'table' AND name = 'events';
PRAGMA writable_schema = RESET;

-- Of a trial's best adapter: the Frobenius norm of each module's scaling·B·A, and its stable rank.
CREATE TABLE module_updates (
    attempt_id  INTEGER NOT NULL,
    seq         INTEGER NOT NULL,
    module      TEXT    NOT NULL,
    norm        REAL    NOT NULL CHECK (norm >= 0 AND norm < 9e999),
    stable_rank REAL    NOT NULL CHECK (stable_rank >= 0 AND stable_rank < 9e999),
    PRIMARY KEY (attempt_id, seq, module),
    FOREIGN KEY (attempt_id, seq) REFERENCES events (attempt_id, seq)
) STRICT, WITHOUT ROWID;

-- +goose Down
-- There is no way back: a database holds results that took hours. Restore a copy instead.
SELECT 1;

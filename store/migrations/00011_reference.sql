-- rank: [..., full]: a ladder's reference trains the targets' weights themselves.

-- +goose Up

-- A trial that trains in full has no rank. As in 00004, a constraint that lets more pass.
PRAGMA writable_schema = ON;
UPDATE sqlite_schema SET sql = replace(sql, 'spec ->> ''$.lora.r'' >= 1',
    'iif(spec ->> ''$.lora.full'', spec ->> ''$.lora.r'' = 0, spec ->> ''$.lora.r'' >= 1)')
WHERE type = 'table' AND name = 'trial_specs';
PRAGMA writable_schema = RESET;

-- They are no trials of a rung: no rank is theirs, and no verdict rests on them. candidate counts the learning rates that are tried.
CREATE TABLE reference_trials (
    ladder_id INTEGER NOT NULL REFERENCES ladders (id),
    candidate INTEGER NOT NULL CHECK (candidate >= 0),
    seed      INTEGER NOT NULL,
    trial_id  TEXT    NOT NULL REFERENCES trial_specs (id),
    PRIMARY KEY (ladder_id, candidate, seed)
) STRICT, WITHOUT ROWID;
CREATE INDEX reference_trials_by_trial ON reference_trials (trial_id);

-- +goose Down
-- There is no way back: a database holds results that took hours. Restore a copy instead.
SELECT 1;

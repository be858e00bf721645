-- strategy: scout begins a ladder with one trial that shows every rank up to its own; curve (sweep scout) ends with it.

-- +goose Up

PRAGMA writable_schema = ON;
UPDATE sqlite_schema SET sql = replace(sql, '''ladder'', ''screen''', '''ladder'', ''screen'', ''scout'', ''curve''')
WHERE type = 'table' AND name = 'sweeps';
PRAGMA writable_schema = RESET;

-- The scouts of a ladder. They are no trials of a rung: what they show of each rank is in screened_losses.
CREATE TABLE scout_trials (
    ladder_id INTEGER NOT NULL REFERENCES ladders (id),
    rank      INTEGER NOT NULL CHECK (rank >= 1), -- the largest that the scout shows
    candidate INTEGER NOT NULL CHECK (candidate >= 0),
    trial_id  TEXT    NOT NULL REFERENCES trial_specs (id),
    PRIMARY KEY (ladder_id, rank, candidate)
) STRICT, WITHOUT ROWID;
CREATE INDEX scout_trials_by_trial ON scout_trials (trial_id);

-- +goose Down
-- There is no way back: a database holds results that took hours. Restore a copy instead.
SELECT 1;

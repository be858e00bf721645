-- What a person asks of a sweep while it is worked on or lies still, its earlier grids, and which sweep launched an attempt, whatever
-- that sweep is called by now.

-- +goose Up

-- pause and resume: the newer of the two counts. cancel: the session that is to end. retry: of the trial, no attempt up to that number
-- counts any more that ended without a loss.
CREATE TABLE requests (
    id         INTEGER PRIMARY KEY AUTOINCREMENT, -- their order: a clock may step back
    sweep_id   INTEGER NOT NULL REFERENCES sweeps (id),
    kind       TEXT    NOT NULL CHECK (kind IN ('pause', 'resume', 'cancel', 'retry')),
    at_ns      INTEGER NOT NULL CHECK (at_ns >= 0),
    session_id INTEGER REFERENCES sessions (id),
    trial_id   TEXT    REFERENCES trial_specs (id),
    number     INTEGER CHECK (number >= 1),
    CHECK ((kind = 'cancel') = (session_id IS NOT NULL)),
    CHECK ((kind = 'retry') = (trial_id IS NOT NULL AND number IS NOT NULL))
) STRICT;
CREATE INDEX requests_by_sweep ON requests (sweep_id, kind, id);
CREATE INDEX requests_by_trial ON requests (trial_id, sweep_id, number) WHERE trial_id IS NOT NULL;

-- The grid files that were given under a sweep's name, once there is more than one: the first, and those that extend it or gave it another
-- name. Of the sweep's row they have the one that its ladders are registered from; a newer one waits for its coordinator.
CREATE TABLE grids (
    id       INTEGER PRIMARY KEY AUTOINCREMENT,
    sweep_id INTEGER NOT NULL REFERENCES sweeps (id),
    at_ns    INTEGER NOT NULL CHECK (at_ns >= 0),
    text     TEXT    NOT NULL,
    hash     TEXT    NOT NULL,
    path     TEXT    NOT NULL
) STRICT;
CREATE INDEX grids_by_sweep ON grids (sweep_id, id);

-- Names change. NULL: not known any more, because the database was lost or the sweep removed.
ALTER TABLE attempts ADD COLUMN sweep_id INTEGER REFERENCES sweeps (id);
UPDATE attempts SET sweep_id = (SELECT id FROM sweeps WHERE name = attempts.assignment ->> '$.sweep');
CREATE INDEX attempts_by_launcher ON attempts (sweep_id);

-- No id is given twice, also after rows were removed: readers look for attempts above the last that they know. SQLite cannot alter
-- this; what follows is its documented way (sqlite.org/lang_altertable.html, 7), and it makes the row of sqlite_sequence itself.
PRAGMA writable_schema = ON;
UPDATE sqlite_schema SET sql = replace(sql, 'INTEGER PRIMARY KEY,', 'INTEGER PRIMARY KEY AUTOINCREMENT,')
WHERE type = 'table' AND name = 'attempts';
PRAGMA writable_schema = RESET;

-- +goose Down
-- There is no way back: a database holds results that took hours. Restore a copy instead.
SELECT 1;

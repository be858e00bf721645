-- Facts are stored, state is derived: no two columns can disagree, and rows are added, hardly ever changed.
-- Times are UTC nanoseconds since 1970 (…_ns); sizes are bytes; losses are nats per token. SQLite stores NaN as NULL, so
-- NOT NULL and "abs(x) < 9e999" (which SQL reads as infinity) together mean: a finite number.
-- For people: the views trials, rungs and verdicts at the end of this file. They keep to what SQLite 3.38 (2022) reads,
-- so that a distribution's sqlite3 shows them.

-- +goose Up

-- One grid file being worked off, as it was given.
CREATE TABLE sweeps (
    id                INTEGER PRIMARY KEY AUTOINCREMENT, -- never used twice: lock files carry it
    name              TEXT    NOT NULL UNIQUE CHECK (name <> ''),
    created_ns        INTEGER NOT NULL CHECK (created_ns >= 0),
    grid_text         TEXT    NOT NULL,
    grid_hash         TEXT    NOT NULL,
    grid_path         TEXT    NOT NULL,
    seeds             TEXT    NOT NULL CHECK (json_type(seeds) = 'array'),
    min_gain          REAL    NOT NULL CHECK (min_gain >= 0 AND min_gain < 9e999),
    min_gain_relative INTEGER NOT NULL CHECK (min_gain_relative IN (0, 1)), -- 1: min_gain is a fraction of the lowest rank's loss
    patience          INTEGER NOT NULL CHECK (patience >= 1),
    confidence        REAL    NOT NULL CHECK (confidence > 0 AND confidence < 1),
    stop              TEXT    NOT NULL CHECK (stop <> ''),
    maximize          INTEGER NOT NULL CHECK (maximize IN (0, 1)),
    noise_sd          REAL    NOT NULL CHECK (noise_sd >= 0 AND noise_sd < 9e999), -- as given in the grid, 0: not given
    noise_source      TEXT    NOT NULL,
    memory_limit      INTEGER NOT NULL CHECK (memory_limit >= 0),  -- bytes per trial, 0: none
    time_limit_ns     INTEGER NOT NULL CHECK (time_limit_ns >= 0), -- of the sweep, 0: none
    trial_time_ns     INTEGER NOT NULL CHECK (trial_time_ns >= 0)  -- of one trial, 0: none
) STRICT;

-- A sweep whose inputs have been read has one row here, its ladders and its trials, all written at once.
CREATE TABLE registrations (
    sweep_id     INTEGER PRIMARY KEY REFERENCES sweeps (id),
    backend      TEXT NOT NULL,
    platform     TEXT NOT NULL,
    plugin_path  TEXT NOT NULL,
    noise_sd     REAL NOT NULL CHECK (noise_sd >= 0 AND noise_sd < 9e999), -- resolved, 0: 0.25 % of the lowest rank's loss
    noise_source TEXT NOT NULL,
    warnings     TEXT NOT NULL CHECK (json_type(warnings) = 'array')
) STRICT;

-- A coordinator's time with a sweep. The newest session of a sweep holds its lease, unless it has ended.
CREATE TABLE sessions (
    id           INTEGER PRIMARY KEY AUTOINCREMENT, -- the fencing token: a newer session has a larger one
    sweep_id     INTEGER NOT NULL REFERENCES sweeps (id),
    host         TEXT    NOT NULL,
    pid          INTEGER NOT NULL,
    started_ns   INTEGER NOT NULL CHECK (started_ns >= 0),
    heartbeat_ns INTEGER NOT NULL CHECK (heartbeat_ns >= started_ns),
    ended_ns     INTEGER CHECK (ended_ns >= heartbeat_ns) -- NULL: it runs, or died after heartbeat_ns
) STRICT;
CREATE INDEX sessions_by_sweep ON sessions (sweep_id, id);

CREATE TABLE ladders (
    id       INTEGER PRIMARY KEY,
    sweep_id INTEGER NOT NULL REFERENCES sweeps (id),
    position INTEGER NOT NULL CHECK (position >= 0), -- in the grid's expansion
    model    TEXT    NOT NULL CHECK (json_type(model) = 'object'),
    corpus   TEXT    NOT NULL CHECK (json_type(corpus) = 'object'),
    UNIQUE (sweep_id, position)
) STRICT;

-- A ladder's cell: everything chosen but rank and seed, axes first.
CREATE TABLE ladder_settings (
    ladder_id INTEGER NOT NULL REFERENCES ladders (id),
    position  INTEGER NOT NULL CHECK (position >= 0),
    name      TEXT    NOT NULL CHECK (name <> ''),
    value     TEXT    NOT NULL,
    axis      INTEGER NOT NULL CHECK (axis IN (0, 1)), -- 1: has more than one value in the grid
    PRIMARY KEY (ladder_id, position),
    UNIQUE (ladder_id, name)
) STRICT, WITHOUT ROWID;

-- A trial is identified by its content and shared by every sweep that holds it. Where its inputs lie is not part of the
-- identity: spec has the places as last registered.
CREATE TABLE trial_specs (
    id      TEXT PRIMARY KEY CHECK (id <> '' AND instr(id, '/') = 0),
    spec    TEXT NOT NULL CHECK (json_type(spec) = 'object' AND spec ->> '$.lora.r' >= 1),
    base    TEXT NOT NULL, -- fingerprint of the base model
    data    TEXT NOT NULL, -- fingerprint of the corpus
    backend TEXT NOT NULL  -- plug-in and version
) STRICT, WITHOUT ROWID;

CREATE TABLE ladder_trials (
    ladder_id INTEGER NOT NULL REFERENCES ladders (id),
    rank      INTEGER NOT NULL CHECK (rank >= 1),
    seed      INTEGER NOT NULL,
    trial_id  TEXT    NOT NULL REFERENCES trial_specs (id),
    PRIMARY KEY (ladder_id, rank, seed)
) STRICT, WITHOUT ROWID;
CREATE INDEX ladder_trials_by_trial ON ladder_trials (trial_id);

-- The intent to launch a trial: one process, one folder, one event file.
CREATE TABLE attempts (
    id          INTEGER PRIMARY KEY,
    trial_id    TEXT    NOT NULL REFERENCES trial_specs (id),
    number      INTEGER NOT NULL CHECK (number >= 1),
    intended_ns INTEGER NOT NULL CHECK (intended_ns >= 0),
    assignment  TEXT    NOT NULL CHECK (json_type(assignment) = 'object'), -- the spec.json of its folder
    UNIQUE (trial_id, number)
) STRICT;

-- What workers say, one row per line of their events.jsonl. The tables that follow hold what each kind carries.
CREATE TABLE events (
    attempt_id INTEGER NOT NULL REFERENCES attempts (id),
    seq        INTEGER NOT NULL CHECK (seq >= 1),
    at_ns      INTEGER NOT NULL CHECK (at_ns >= 0),
    kind       TEXT    NOT NULL CHECK (kind IN
        ('started', 'predicted', 'resumed', 'point', 'eval', 'checkpoint', 'memory', 'ended')),
    step       INTEGER NOT NULL CHECK (step >= 0), -- optimiser steps done, where the kind has one
    PRIMARY KEY (attempt_id, seq)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX points_by_step ON events (attempt_id, step) WHERE kind = 'point';
CREATE UNIQUE INDEX evaluations_by_step ON events (attempt_id, step) WHERE kind = 'eval';
CREATE INDEX checkpoints_by_step ON events (attempt_id, step) WHERE kind = 'checkpoint';

CREATE TABLE environments (
    attempt_id       INTEGER NOT NULL,
    seq              INTEGER NOT NULL,
    pid              INTEGER NOT NULL,
    host             TEXT    NOT NULL,
    cores            TEXT    NOT NULL CHECK (json_type(cores) = 'array'), -- empty: not pinned
    backend          TEXT    NOT NULL,
    platform         TEXT    NOT NULL,
    plugin_path      TEXT    NOT NULL,
    plugin_version   TEXT    NOT NULL,
    plugin_sha256    TEXT    NOT NULL,
    device           TEXT    NOT NULL,
    versions         TEXT    NOT NULL CHECK (json_type(versions) = 'object'), -- of the program and its libraries
    trainable_params INTEGER NOT NULL CHECK (trainable_params >= 0),
    PRIMARY KEY (attempt_id, seq),
    FOREIGN KEY (attempt_id, seq) REFERENCES events (attempt_id, seq)
) STRICT, WITHOUT ROWID;

CREATE TABLE predictions (
    attempt_id      INTEGER NOT NULL,
    seq             INTEGER NOT NULL,
    analysis_bytes  INTEGER NOT NULL CHECK (analysis_bytes >= 0),
    predicted_bytes INTEGER NOT NULL CHECK (predicted_bytes >= 0),
    source          TEXT    NOT NULL,
    PRIMARY KEY (attempt_id, seq),
    FOREIGN KEY (attempt_id, seq) REFERENCES events (attempt_id, seq)
) STRICT, WITHOUT ROWID;

CREATE TABLE points (
    attempt_id    INTEGER NOT NULL,
    seq           INTEGER NOT NULL,
    tokens        INTEGER NOT NULL CHECK (tokens >= 0),
    train_loss    REAL    NOT NULL CHECK (abs(train_loss) < 9e999),
    grad_norm     REAL    NOT NULL CHECK (grad_norm >= 0 AND grad_norm < 9e999),
    learning_rate REAL    NOT NULL CHECK (learning_rate >= 0 AND learning_rate < 9e999),
    PRIMARY KEY (attempt_id, seq),
    FOREIGN KEY (attempt_id, seq) REFERENCES events (attempt_id, seq)
) STRICT, WITHOUT ROWID;

CREATE TABLE evaluations (
    attempt_id INTEGER NOT NULL,
    seq        INTEGER NOT NULL,
    val_loss   REAL    NOT NULL CHECK (abs(val_loss) < 9e999),
    tokens     INTEGER NOT NULL CHECK (tokens >= 0),
    seconds    REAL    NOT NULL CHECK (seconds >= 0 AND seconds < 9e999),
    PRIMARY KEY (attempt_id, seq),
    FOREIGN KEY (attempt_id, seq) REFERENCES events (attempt_id, seq)
) STRICT, WITHOUT ROWID;

-- Peaks so far; NULL where the platform cannot tell.
CREATE TABLE memory_peaks (
    attempt_id    INTEGER NOT NULL,
    seq           INTEGER NOT NULL,
    host_bytes    INTEGER CHECK (host_bytes >= 0),
    host_source   TEXT    NOT NULL,
    device_bytes  INTEGER CHECK (device_bytes >= 0),
    device_source TEXT    NOT NULL,
    PRIMARY KEY (attempt_id, seq),
    FOREIGN KEY (attempt_id, seq) REFERENCES events (attempt_id, seq)
) STRICT, WITHOUT ROWID;

CREATE TABLE outcome_states (
    state      TEXT    PRIMARY KEY,
    ends_trial INTEGER NOT NULL CHECK (ends_trial IN (0, 1)) -- 0: it continues in a new attempt
) STRICT, WITHOUT ROWID;
INSERT INTO outcome_states (state, ends_trial) VALUES
    ('done', 1), ('unstable', 1), ('over_memory', 1), ('over_time', 1), ('failed', 1), ('interrupted', 0), ('crashed', 0);

-- How an attempt ended, once. The result columns are set when state is done.
CREATE TABLE outcomes (
    attempt_id    INTEGER PRIMARY KEY,
    seq           INTEGER NOT NULL,
    state         TEXT    NOT NULL REFERENCES outcome_states (state),
    error         TEXT    NOT NULL,
    step          INTEGER NOT NULL CHECK (step >= 0),
    val_loss      REAL CHECK (abs(val_loss) < 9e999),
    best_step     INTEGER NOT NULL CHECK (best_step >= 0),
    last_val_loss REAL CHECK (abs(last_val_loss) < 9e999),
    train_loss    REAL CHECK (abs(train_loss) < 9e999),
    tokens        INTEGER NOT NULL CHECK (tokens >= 0),
    train_seconds REAL    NOT NULL CHECK (train_seconds >= 0 AND train_seconds < 9e999),
    total_seconds REAL    NOT NULL CHECK (total_seconds >= 0 AND total_seconds < 9e999),
    CHECK (state <> 'done' OR val_loss IS NOT NULL),
    FOREIGN KEY (attempt_id, seq) REFERENCES events (attempt_id, seq)
) STRICT;

-- What the plateau rule said, when, from which inputs. Decisions and reports recompute it.
CREATE TABLE ladder_verdicts (
    id           INTEGER PRIMARY KEY,
    ladder_id    INTEGER NOT NULL REFERENCES ladders (id),
    at_ns        INTEGER NOT NULL CHECK (at_ns >= 0),
    rule_version INTEGER NOT NULL CHECK (rule_version >= 1),
    inputs_hash  TEXT    NOT NULL, -- SHA-256 over the rule's settings and the outcomes of the ladder's trials
    verdict      TEXT    NOT NULL CHECK (json_type(verdict) = 'object' AND verdict ->> '$.state' <> '')
) STRICT;
CREATE INDEX ladder_verdicts_by_ladder ON ladder_verdicts (ladder_id, id);

-- What tells a sweep's ladders apart: its axes as name=value, empty in a sweep of one ladder.
CREATE VIEW ladder_cells AS
SELECT l.id AS ladder_id, ifnull(group_concat(c.name || '=' || c.value, ' '), '') AS cell
FROM ladders l
LEFT JOIN (SELECT ladder_id, name, value FROM ladder_settings WHERE axis ORDER BY ladder_id, position) c
    ON c.ladder_id = l.id
GROUP BY l.id;

-- The outcome that ended each trial: the newest attempt's that has one.
CREATE VIEW trial_outcomes AS
SELECT trial_id, state, error, step, val_loss, best_step, last_val_loss, train_loss, tokens, train_seconds, total_seconds
FROM (
    SELECT a.trial_id, o.*, row_number() OVER (PARTITION BY a.trial_id ORDER BY a.number DESC) AS newest
    FROM attempts a
    JOIN outcomes o ON o.attempt_id = a.id
    JOIN outcome_states s ON s.state = o.state AND s.ends_trial
)
WHERE newest = 1;

-- trials: one row per sweep, ladder, rank and seed; a trial that several sweeps hold appears once in each.
--   state        pending, running (or its end not seen yet), interrupted, crashed: it goes on;
--                done, unstable, over_memory, over_time, failed: it is over
--   val_loss     lowest evaluation after step 0, at best_step; NULL until the trial is done
--   step         optimiser steps reported so far, of steps
--   peak_…       maximum over the attempts, each with its source; NULL where the platform cannot tell
--   …_seconds    over all attempts; training without evaluation and compilation, and all
CREATE VIEW trials AS
SELECT
    lt.trial_id AS id,
    s.name AS sweep,
    l.id AS ladder,
    k.cell,
    lt.rank,
    lt.seed,
    CASE
        WHEN o.state IS NOT NULL THEN o.state
        WHEN n.id IS NULL THEN 'pending'
        ELSE ifnull((SELECT state FROM outcomes WHERE attempt_id = n.id), 'running')
    END AS state,
    o.val_loss,
    o.best_step,
    o.last_val_loss,
    o.train_loss,
    o.tokens,
    ifnull((SELECT max(e.step) FROM attempts a JOIN events e ON e.attempt_id = a.id WHERE a.trial_id = t.id), 0) AS step,
    t.spec ->> '$.train.steps' AS steps,
    o.train_seconds,
    o.total_seconds,
    h.bytes AS peak_host_bytes,
    h.source AS peak_host_source,
    d.bytes AS peak_device_bytes,
    d.source AS peak_device_source,
    p.predicted_bytes,
    p.source AS predicted_source,
    v.trainable_params,
    (SELECT count(*) FROM attempts a WHERE a.trial_id = t.id) AS attempts,
    strftime('%Y-%m-%dT%H:%M:%SZ', f.intended_ns / 1000000000, 'unixepoch') AS first_started,
    strftime('%Y-%m-%dT%H:%M:%SZ',
        (SELECT e.at_ns FROM events e WHERE e.attempt_id = n.id ORDER BY e.seq DESC LIMIT 1) / 1000000000,
        'unixepoch') AS last_heard,
    o.error,
    t.spec ->> '$.lora.lora_alpha' AS alpha,
    t.spec ->> '$.train.learning_rate' AS learning_rate,
    t.backend,
    v.plugin_version,
    v.device,
    v.versions,
    t.base AS base_fingerprint,
    t.data AS data_fingerprint
FROM ladder_trials lt
JOIN ladders l ON l.id = lt.ladder_id
JOIN ladder_cells k ON k.ladder_id = l.id
JOIN sweeps s ON s.id = l.sweep_id
JOIN trial_specs t ON t.id = lt.trial_id
LEFT JOIN trial_outcomes o ON o.trial_id = t.id
LEFT JOIN attempts n ON n.id = (SELECT id FROM attempts WHERE trial_id = t.id ORDER BY number DESC LIMIT 1)
LEFT JOIN attempts f ON f.id = (SELECT id FROM attempts WHERE trial_id = t.id ORDER BY number LIMIT 1)
LEFT JOIN (
    SELECT a.trial_id, max(m.host_bytes) AS bytes, m.host_source AS source
    FROM memory_peaks m JOIN attempts a ON a.id = m.attempt_id GROUP BY a.trial_id
) h ON h.trial_id = t.id AND h.bytes IS NOT NULL
LEFT JOIN (
    SELECT a.trial_id, max(m.device_bytes) AS bytes, m.device_source AS source
    FROM memory_peaks m JOIN attempts a ON a.id = m.attempt_id GROUP BY a.trial_id
) d ON d.trial_id = t.id AND d.bytes IS NOT NULL
LEFT JOIN (
    SELECT a.trial_id, max(a.number * 1000000000 + p.seq) AS newest, p.predicted_bytes, p.source
    FROM predictions p JOIN attempts a ON a.id = p.attempt_id GROUP BY a.trial_id
) p ON p.trial_id = t.id
LEFT JOIN (
    SELECT a.trial_id, max(a.number * 1000000000 + e.seq) AS newest,
        e.trainable_params, e.plugin_version, e.device, e.versions
    FROM environments e JOIN attempts a ON a.id = e.attempt_id GROUP BY a.trial_id
) v ON v.trial_id = t.id
ORDER BY s.id, l.position, lt.rank, lt.seed;

-- rungs: one row per ladder and rank; losses over the finished seeds.
CREATE VIEW rungs AS
SELECT
    sweep,
    ladder,
    cell,
    rank,
    count(*) AS seeds,
    count(val_loss) AS finished,
    avg(val_loss) AS mean_val_loss,
    min(val_loss) AS min_val_loss,
    max(val_loss) AS max_val_loss,
    avg(train_loss) AS mean_train_loss,
    max(peak_host_bytes) AS peak_host_bytes,
    max(peak_device_bytes) AS peak_device_bytes,
    max(predicted_bytes) AS predicted_bytes,
    sum(train_seconds) AS train_seconds,
    max(trainable_params) AS trainable_params
FROM trials
GROUP BY sweep, ladder, cell, rank
ORDER BY ladder, rank;

-- verdicts: the latest of each ladder.
CREATE VIEW verdicts AS
SELECT
    s.name AS sweep,
    l.id AS ladder,
    k.cell,
    v.verdict ->> '$.state' AS state,
    v.verdict ->> '$.recommended_rank' AS recommended_rank,
    v.verdict ->> '$.best_rank' AS best_rank,
    v.verdict -> '$.equivalent_ranks' AS equivalent_ranks,
    v.verdict ->> '$.probability' AS probability,
    v.verdict ->> '$.min_gain' AS min_gain,
    v.verdict ->> '$.reason' AS reason,
    strftime('%Y-%m-%dT%H:%M:%SZ', v.at_ns / 1000000000, 'unixepoch') AS at,
    v.rule_version,
    v.inputs_hash,
    v.verdict
FROM ladders l
JOIN ladder_cells k ON k.ladder_id = l.id
JOIN sweeps s ON s.id = l.sweep_id
JOIN ladder_verdicts v ON v.id = (SELECT max(id) FROM ladder_verdicts WHERE ladder_id = l.id)
ORDER BY s.id, l.position;

-- +goose Down
-- There is no way back: a database holds results that took hours. Restore a copy instead.
SELECT 1;

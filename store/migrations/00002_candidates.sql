-- Tuned axes give a rung several candidates, and certifying a plateau extra seeds: both are further trials of a rung.

-- +goose Up

DROP VIEW rungs;
DROP VIEW trials;

-- Most seeds per rank, those of the grid among them; 0: twice the seeds.
ALTER TABLE sweeps ADD COLUMN max_seeds INTEGER NOT NULL DEFAULT 0 CHECK (max_seeds >= 0);

-- The wish that likely plateaus be certified. The largest number of seeds counts.
CREATE TABLE confirmations (
    sweep_id  INTEGER NOT NULL REFERENCES sweeps (id),
    max_seeds INTEGER NOT NULL CHECK (max_seeds >= 1), -- per rank, those of the grid among them
    at_ns     INTEGER NOT NULL CHECK (at_ns >= 0),
    PRIMARY KEY (sweep_id, max_seeds)
) STRICT, WITHOUT ROWID;

-- A candidate is one combination of the tuned axes' values; they count from 0 in grid order. A ladder that tunes nothing has
-- no row here, and its trials are of candidate 0.
CREATE TABLE ladder_candidates (
    ladder_id INTEGER NOT NULL REFERENCES ladders (id),
    candidate INTEGER NOT NULL CHECK (candidate >= 0),
    position  INTEGER NOT NULL CHECK (position >= 0),
    name      TEXT    NOT NULL CHECK (name <> ''),
    value     TEXT    NOT NULL,
    PRIMARY KEY (ladder_id, candidate, position)
) STRICT, WITHOUT ROWID;

CREATE TABLE rung_trials (
    ladder_id INTEGER NOT NULL REFERENCES ladders (id),
    rank      INTEGER NOT NULL CHECK (rank >= 1),
    candidate INTEGER NOT NULL CHECK (candidate >= 0),
    seed      INTEGER NOT NULL, -- of the grid, or one that was drawn later
    trial_id  TEXT    NOT NULL REFERENCES trial_specs (id),
    PRIMARY KEY (ladder_id, rank, candidate, seed)
) STRICT, WITHOUT ROWID;
INSERT INTO rung_trials (ladder_id, rank, candidate, seed, trial_id)
SELECT ladder_id, rank, 0, seed, trial_id FROM ladder_trials;
DROP TABLE ladder_trials;
CREATE INDEX rung_trials_by_trial ON rung_trials (trial_id);

CREATE VIEW candidate_settings AS
SELECT ladder_id, candidate, group_concat(name || '=' || value, ' ') AS tuned
FROM (SELECT ladder_id, candidate, name, value FROM ladder_candidates ORDER BY ladder_id, candidate, position)
GROUP BY ladder_id, candidate;

-- trials: one row per sweep, ladder, rank, candidate and seed; a trial that several sweeps hold appears once in each.
--   tuned        the candidate's values of the tuned axes as name=value; empty where nothing is tuned
--   extra        1 where the seed is none of the grid's
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
    lt.candidate,
    ifnull(c.tuned, '') AS tuned,
    lt.seed,
    lt.seed NOT IN (SELECT value FROM json_each(s.seeds)) AS extra,
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
FROM rung_trials lt
JOIN ladders l ON l.id = lt.ladder_id
JOIN ladder_cells k ON k.ladder_id = l.id
JOIN sweeps s ON s.id = l.sweep_id
JOIN trial_specs t ON t.id = lt.trial_id
LEFT JOIN candidate_settings c ON c.ladder_id = lt.ladder_id AND c.candidate = lt.candidate
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
ORDER BY s.id, l.position, lt.rank, lt.candidate, lt.seed;

-- rungs: one row per ladder and rank: losses over the finished seeds of the grid, of the candidate that has the most of them
-- and then the lowest mean; memory and time over all its trials.
CREATE VIEW rungs AS
SELECT sweep, ladder, cell, rank, tuned, seeds, finished, mean_val_loss, min_val_loss, max_val_loss, mean_train_loss,
    peak_host_bytes, peak_device_bytes, predicted_bytes, train_seconds, trainable_params
FROM (
    SELECT
        sweep,
        ladder,
        cell,
        rank,
        tuned,
        sum(NOT extra) AS seeds,
        count(val_loss) FILTER (WHERE NOT extra) AS finished,
        avg(val_loss) FILTER (WHERE NOT extra) AS mean_val_loss,
        min(val_loss) FILTER (WHERE NOT extra) AS min_val_loss,
        max(val_loss) FILTER (WHERE NOT extra) AS max_val_loss,
        avg(train_loss) FILTER (WHERE NOT extra) AS mean_train_loss,
        max(peak_host_bytes) AS peak_host_bytes,
        max(peak_device_bytes) AS peak_device_bytes,
        max(predicted_bytes) AS predicted_bytes,
        sum(train_seconds) AS train_seconds,
        max(trainable_params) AS trainable_params,
        row_number() OVER (PARTITION BY ladder, rank ORDER BY count(val_loss) FILTER (WHERE NOT extra) DESC,
            avg(val_loss) FILTER (WHERE NOT extra), candidate) AS place
    FROM trials
    GROUP BY sweep, ladder, cell, rank, candidate
)
WHERE place = 1
ORDER BY ladder, rank;

-- +goose Down
-- There is no way back: a database holds results that took hours. Restore a copy instead.
SELECT 1;

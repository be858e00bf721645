-- What people read with a database shell: trials, rungs, verdicts, screened and updates, on top of the other views. All of this file is
-- derived from the facts, and laid anew after migrating where it has changed: later migrations do not touch it. The views keep to
-- what SQLite 3.38 (2022) reads, so that a distribution's sqlite3 shows them.

-- Which sweep launched an attempt, without reading the assignment, which holds all modules of the model.
DROP INDEX IF EXISTS attempts_by_sweep;
CREATE INDEX attempts_by_sweep ON attempts (trial_id, number, sweep_id, intended_ns);

-- What tells a sweep's ladders apart: its axes as name=value, empty in a sweep of one ladder.
DROP VIEW IF EXISTS ladder_cells;
CREATE VIEW ladder_cells AS
SELECT l.id AS ladder_id, ifnull(group_concat(c.name || '=' || c.value, ' '), '') AS cell
FROM ladders l
LEFT JOIN (SELECT ladder_id, name, value FROM ladder_settings WHERE axis ORDER BY ladder_id, position) c
    ON c.ladder_id = l.id
GROUP BY l.id;

-- The values of the tuned axes of every candidate, as name=value.
DROP VIEW IF EXISTS candidate_settings;
CREATE VIEW candidate_settings AS
SELECT ladder_id, candidate, group_concat(name || '=' || value, ' ') AS tuned
FROM (SELECT ladder_id, candidate, name, value FROM ladder_candidates ORDER BY ladder_id, candidate, position)
GROUP BY ladder_id, candidate;

-- The outcome that ended each trial: what is done stays so, whatever becomes of a later attempt that screens it; of other ends
-- the newest attempt's.
DROP VIEW IF EXISTS trial_outcomes;
CREATE VIEW trial_outcomes AS
SELECT trial_id, state, error, cause, step, micro_batch, val_loss, best_step, last_val_loss, train_loss, retain_loss, base_retain, tokens,
    train_seconds, total_seconds
FROM (
    SELECT a.trial_id, o.*, row_number() OVER (PARTITION BY a.trial_id ORDER BY o.state = 'done' DESC, a.number DESC) AS newest
    FROM attempts a
    JOIN outcomes o ON o.attempt_id = a.id
    JOIN outcome_states s ON s.state = o.state AND s.ends_trial
)
WHERE newest = 1;

-- The causes that lie with the machine: cause.Cause.Passing.
DROP VIEW IF EXISTS passing_causes;
CREATE VIEW passing_causes (cause) AS
VALUES ('killed'), ('lost'), ('disk'), ('no_process'), ('preempted'), ('node_failure'), ('time'), ('memory_shared'), ('memory_asked');

-- Every attempt as every sweep sees it, to be read for one of each: what another sweep ended without a loss, or this one before a person
-- asked to retry it, is interrupted; so is what was done before that, until an attempt after it has ended the trial; what another finished
-- with more memory than this one allows is over_memory (sweep.Snapshot.Reopen says why). NULL while the attempt may run.
DROP VIEW IF EXISTS seen_attempts;
CREATE VIEW seen_attempts AS
SELECT
    s.id AS sweep_id,
    a.trial_id,
    a.id AS attempt_id,
    a.number,
    CASE
        WHEN o.state IN ('over_memory', 'over_time', 'failed', 'crashed') AND a.sweep_id IS NOT s.id
            THEN 'interrupted'
        WHEN o.state <> 'done' AND a.number <= (
            SELECT max(number) FROM requests WHERE trial_id = a.trial_id AND sweep_id = s.id
        ) THEN 'interrupted'
        WHEN o.state = 'done' AND s.memory_limit > 0 AND a.sweep_id IS NOT s.id AND s.memory_limit < (
            SELECT max(CASE r.platform WHEN 'xla:cuda' THEN m.device_bytes ELSE m.host_bytes END)
            FROM registrations r JOIN attempts p JOIN memory_peaks m ON m.attempt_id = p.id
            WHERE r.sweep_id = s.id AND p.trial_id = a.trial_id
        ) THEN 'over_memory'
        WHEN o.state = 'done' AND EXISTS (
            SELECT 1 FROM (SELECT max(number) AS last FROM requests WHERE trial_id = a.trial_id AND sweep_id = s.id) r
            WHERE a.number <= r.last AND NOT EXISTS (
                SELECT 1 FROM attempts p JOIN outcomes e ON e.attempt_id = p.id JOIN outcome_states w ON w.state = e.state AND w.ends_trial
                WHERE p.trial_id = a.trial_id AND p.number > r.last
            )
        ) THEN 'interrupted'
        ELSE o.state
    END AS state,
    ifnull(o.cause, '') AS cause,
    ifnull(o.micro_batch, 0) AS micro_batch
FROM sweeps s
JOIN attempts a
LEFT JOIN outcomes o ON o.attempt_id = a.id;

-- Of every attempt, how far the trial's checkpoints were before it and got with it: -1 where there is none.
DROP VIEW IF EXISTS attempt_checkpoints;
CREATE VIEW attempt_checkpoints AS
SELECT
    a.id AS attempt_id,
    ifnull((SELECT max(e.step) FROM events e WHERE e.attempt_id = a.id AND e.kind = 'checkpoint'), -1) AS reached,
    ifnull((
        SELECT max(e.step) FROM attempts b JOIN events e ON e.attempt_id = b.id AND e.kind = 'checkpoint'
        WHERE b.trial_id = a.trial_id AND b.number < a.number
    ), -1) AS before
FROM attempts a;

-- The state of the trial at every place of every sweep, by the rule of sweep.TrialFacts.State: that of the attempt that ended it
-- (ended_by); over_memory where an attempt ran out of memory alone and with half a batch, or with a batch of one; failed where too many
-- attempts in a row crashed and got no checkpoint further (sweep/retry.go has the limits); else the last attempt's.
DROP VIEW IF EXISTS trial_states;
CREATE VIEW trial_states AS
SELECT
    l.sweep_id,
    lt.ladder_id,
    lt.rank,
    lt.candidate,
    lt.seed,
    lt.trial_id,
    lt.kind,
    (
        SELECT attempt_id FROM (
            SELECT a.attempt_id, max((a.state = 'done') * 1000000000 + a.number) FROM seen_attempts a
            WHERE a.sweep_id = l.sweep_id AND a.trial_id = lt.trial_id AND a.state IN (SELECT state FROM outcome_states WHERE ends_trial)
        )
    ) AS ended_by,
    coalesce(
        (
            SELECT state FROM (
                SELECT a.state, max((a.state = 'done') * 1000000000 + a.number) FROM seen_attempts a
                WHERE a.sweep_id = l.sweep_id AND a.trial_id = lt.trial_id
                    AND a.state IN (SELECT state FROM outcome_states WHERE ends_trial)
            )
        ),
        (
            SELECT CASE
                WHEN EXISTS (
                    SELECT 1 FROM seen_attempts c JOIN trial_specs t ON t.id = c.trial_id
                    WHERE c.sweep_id = l.sweep_id AND c.trial_id = lt.trial_id AND c.state = 'crashed' AND c.cause = 'memory'
                        AND (c.micro_batch > 0 OR t.spec ->> '$.train.batch_size' = 1)
                ) THEN 'over_memory'
                WHEN a.state IS NULL THEN 'running'
                WHEN a.state = 'crashed' AND (
                    SELECT count(*) FILTER (WHERE c.cause IN (SELECT cause FROM passing_causes)) >= 15
                        OR count(*) FILTER (WHERE c.cause <> 'memory' AND c.cause NOT IN (SELECT cause FROM passing_causes)) >= 5
                    FROM seen_attempts c
                    WHERE c.sweep_id = l.sweep_id AND c.trial_id = lt.trial_id AND c.number > ifnull((
                        SELECT max(b.number) FROM seen_attempts b JOIN attempt_checkpoints p ON p.attempt_id = b.attempt_id
                        WHERE b.sweep_id = l.sweep_id AND b.trial_id = lt.trial_id AND (b.state IS NOT 'crashed' OR p.reached > p.before)
                    ), 0)
                ) THEN 'failed'
                ELSE a.state
            END
            FROM seen_attempts a
            WHERE a.sweep_id = l.sweep_id AND a.trial_id = lt.trial_id
            ORDER BY a.number DESC LIMIT 1
        ),
        'pending'
    ) AS state
FROM (
    SELECT ladder_id, rank, candidate, seed, trial_id, 'rung' AS kind FROM rung_trials
    UNION ALL SELECT ladder_id, NULL, candidate, seed, trial_id, 'reference' FROM reference_trials
    UNION ALL SELECT c.ladder_id, NULL, c.candidate, t.spec ->> '$.seed', c.trial_id, 'scout'
    FROM scout_trials c JOIN trial_specs t ON t.id = c.trial_id
) lt
JOIN ladders l ON l.id = lt.ladder_id;

-- screened: one row per trial and rank that its adapter was truncated to, the newest attempt's. These losses point to ranks to
-- train; they are no rank's val_loss.
DROP VIEW IF EXISTS screened;
CREATE VIEW screened AS
SELECT trial_id, rank, val_loss, tokens, seconds
FROM (
    SELECT a.trial_id, s.*, row_number() OVER (PARTITION BY a.trial_id, s.rank ORDER BY a.number DESC, s.seq DESC) AS newest
    FROM attempts a JOIN screened_losses s ON s.attempt_id = a.id
)
WHERE newest = 1
ORDER BY trial_id, rank;

-- updates: one row per trial and module, the newest attempt's: the Frobenius norm of what its best adapter adds to the module's weight
-- (scaling·B·A), and its stable rank. Trials of earlier versions have none.
DROP VIEW IF EXISTS updates;
CREATE VIEW updates AS
SELECT trial_id, module, norm, stable_rank
FROM (
    SELECT a.trial_id, u.*, row_number() OVER (PARTITION BY a.trial_id, u.module ORDER BY a.number DESC, u.seq DESC) AS newest
    FROM attempts a JOIN module_updates u ON u.attempt_id = a.id
)
WHERE newest = 1
ORDER BY trial_id, module;

-- trials: one row per sweep, ladder, rank, candidate and seed; a trial that several sweeps hold appears once in each.
--   kind         rung; scout: it shows every rank up to scout_rank (see screened); reference: full fine-tuning, whose candidates are its
--                learning rates
--   rank         of a rung's trial, else NULL
--   tuned        the candidate's values of the tuned axes as name=value; empty where nothing is tuned
--   extra        1 where the seed is none of the grid's
--   state        pending, running (or its end not seen yet), interrupted, crashed: it goes on;
--                done, unstable, over_memory, over_time, failed: it is over
--   val_loss     lowest evaluation after step 0, at best_step; NULL until the trial is done
--   token_accuracy, exact_match, retain_loss   at best_step; forgetting: how much higher retain_loss is than at step 0
--   step         optimiser steps reported so far, of steps
--   peak_…       maximum over the attempts, each with its source; NULL where the platform cannot tell
--   …_seconds    over all attempts; training without evaluation and compilation, and all
DROP VIEW IF EXISTS trials;
CREATE VIEW trials AS
SELECT
    st.trial_id AS id,
    s.name AS sweep,
    l.id AS ladder,
    k.cell,
    st.rank,
    st.candidate,
    ifnull(c.tuned, '') AS tuned,
    st.seed,
    st.seed NOT IN (SELECT value FROM json_each(s.seeds)) AS extra,
    st.state,
    d.val_loss,
    o.best_step,
    d.last_val_loss,
    d.train_loss,
    (
        SELECT v.token_accuracy
        FROM attempts a
        JOIN events e ON e.attempt_id = a.id AND e.kind = 'eval' AND e.step = d.best_step
        JOIN evaluations v ON v.attempt_id = e.attempt_id AND v.seq = e.seq
        WHERE a.trial_id = t.id
        ORDER BY a.number DESC
        LIMIT 1
    ) AS token_accuracy,
    (
        SELECT v.exact_match
        FROM attempts a
        JOIN events e ON e.attempt_id = a.id AND e.kind = 'eval' AND e.step = d.best_step
        JOIN evaluations v ON v.attempt_id = e.attempt_id AND v.seq = e.seq
        WHERE a.trial_id = t.id
        ORDER BY a.number DESC
        LIMIT 1
    ) AS exact_match,
    d.retain_loss,
    d.retain_loss - d.base_retain AS forgetting,
    o.tokens,
    ifnull((SELECT max(e.step) FROM attempts a JOIN events e ON e.attempt_id = a.id WHERE a.trial_id = t.id), 0) AS step,
    t.spec ->> '$.train.steps' AS steps,
    o.train_seconds,
    o.total_seconds,
    h.bytes AS peak_host_bytes,
    h.source AS peak_host_source,
    g.bytes AS peak_device_bytes,
    g.source AS peak_device_source,
    p.predicted_bytes,
    p.source AS predicted_source,
    v.trainable_params,
    (SELECT count(*) FROM attempts a WHERE a.trial_id = t.id) AS attempts,
    strftime('%Y-%m-%dT%H:%M:%SZ', f.intended_ns / 1000000000, 'unixepoch') AS first_started,
    strftime('%Y-%m-%dT%H:%M:%SZ',
        (SELECT e.at_ns FROM events e WHERE e.attempt_id = n.id ORDER BY e.seq DESC LIMIT 1) / 1000000000,
        'unixepoch') AS last_heard,
    o.error,
    -- why the last attempt ended: empty of one that is done or was asked to stop, and of earlier versions
    (SELECT c.cause FROM outcomes c WHERE c.attempt_id = n.id) AS cause,
    iif(st.kind = 'reference', NULL, t.spec ->> '$.lora.lora_alpha') AS alpha,
    t.spec ->> '$.train.learning_rate' AS learning_rate,
    t.backend,
    v.plugin_version,
    v.device,
    v.versions,
    t.base AS base_fingerprint,
    t.data AS data_fingerprint,
    st.kind,
    iif(st.kind = 'scout', t.spec ->> '$.lora.r', NULL) AS scout_rank
FROM trial_states st
JOIN ladders l ON l.id = st.ladder_id
JOIN ladder_cells k ON k.ladder_id = l.id
JOIN sweeps s ON s.id = l.sweep_id
JOIN trial_specs t ON t.id = st.trial_id
LEFT JOIN candidate_settings c ON c.ladder_id = st.ladder_id AND c.candidate = st.candidate AND st.kind <> 'reference'
LEFT JOIN outcomes o ON o.attempt_id = st.ended_by
LEFT JOIN outcomes d ON d.attempt_id = st.ended_by AND st.state = 'done'
LEFT JOIN attempts n ON n.id = (SELECT id FROM attempts WHERE trial_id = t.id ORDER BY number DESC LIMIT 1)
LEFT JOIN attempts f ON f.id = (SELECT id FROM attempts WHERE trial_id = t.id ORDER BY number LIMIT 1)
LEFT JOIN (
    SELECT a.trial_id, max(m.host_bytes) AS bytes, m.host_source AS source
    FROM memory_peaks m JOIN attempts a ON a.id = m.attempt_id GROUP BY a.trial_id
) h ON h.trial_id = t.id AND h.bytes IS NOT NULL
LEFT JOIN (
    SELECT a.trial_id, max(m.device_bytes) AS bytes, m.device_source AS source
    FROM memory_peaks m JOIN attempts a ON a.id = m.attempt_id GROUP BY a.trial_id
) g ON g.trial_id = t.id AND g.bytes IS NOT NULL
LEFT JOIN (
    SELECT a.trial_id, max(a.number * 1000000000 + p.seq) AS newest, p.predicted_bytes, p.source
    FROM predictions p JOIN attempts a ON a.id = p.attempt_id GROUP BY a.trial_id
) p ON p.trial_id = t.id
LEFT JOIN (
    SELECT a.trial_id, max(a.number * 1000000000 + e.seq) AS newest,
        e.trainable_params, e.plugin_version, e.device, e.versions
    FROM environments e JOIN attempts a ON a.id = e.attempt_id GROUP BY a.trial_id
) v ON v.trial_id = t.id
ORDER BY s.id, l.position, st.rank, st.candidate, st.seed;

-- rungs: one row per ladder and rank: the candidate that stands for it. Losses are
-- over the seeds of the grid; peaks and train_seconds, a sum, count every trial.
DROP VIEW IF EXISTS rungs;
CREATE VIEW rungs AS
SELECT sweep, ladder, cell, rank, tuned, seeds, finished, mean_val_loss, min_val_loss, max_val_loss, mean_train_loss,
    mean_token_accuracy, mean_exact_match, mean_retain_loss, mean_forgetting,
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
        avg(token_accuracy) FILTER (WHERE NOT extra) AS mean_token_accuracy,
        avg(exact_match) FILTER (WHERE NOT extra) AS mean_exact_match,
        avg(retain_loss) FILTER (WHERE NOT extra) AS mean_retain_loss,
        avg(forgetting) FILTER (WHERE NOT extra) AS mean_forgetting,
        max(peak_host_bytes) AS peak_host_bytes,
        max(peak_device_bytes) AS peak_device_bytes,
        max(predicted_bytes) AS predicted_bytes,
        sum(train_seconds) AS train_seconds,
        max(trainable_params) AS trainable_params,
        row_number() OVER (PARTITION BY ladder, rank ORDER BY count(val_loss) FILTER (WHERE NOT extra) DESC,
            avg(val_loss) FILTER (WHERE NOT extra), candidate) AS place
    FROM trials
    WHERE kind = 'rung'
    GROUP BY sweep, ladder, cell, rank, candidate
)
WHERE place = 1
ORDER BY ladder, rank;

-- verdicts: the latest of each ladder.
DROP VIEW IF EXISTS verdicts;
CREATE VIEW verdicts AS
SELECT
    s.name AS sweep,
    l.id AS ladder,
    k.cell,
    v.verdict ->> '$.state' AS state,
    v.verdict ->> '$.recommended_rank' AS recommended_rank,
    ifnull(v.verdict ->> '$.incumbent_rank', v.verdict ->> '$.recommended_rank') AS incumbent_rank, -- what state and reason are about
    v.verdict ->> '$.best_rank' AS best_rank,
    v.verdict -> '$.equivalent_ranks' AS equivalent_ranks,
    v.verdict ->> '$.probability' AS probability,
    v.verdict ->> '$.min_gain' AS min_gain,
    ifnull(v.verdict ->> '$.reason.code', v.verdict ->> '$.reason') AS reason, -- its code; a sentence in older verdicts
    strftime('%Y-%m-%dT%H:%M:%SZ', v.at_ns / 1000000000, 'unixepoch') AS at,
    v.rule_version,
    v.inputs_hash,
    v.verdict
FROM ladders l
JOIN ladder_cells k ON k.ladder_id = l.id
JOIN sweeps s ON s.id = l.sweep_id
JOIN ladder_verdicts v ON v.id = (SELECT max(id) FROM ladder_verdicts WHERE ladder_id = l.id)
ORDER BY s.id, l.position;

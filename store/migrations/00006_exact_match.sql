-- How many completions greedy decoding writes token by token, beside every validation loss.

-- +goose Up

ALTER TABLE evaluations ADD COLUMN exact_match REAL CHECK (exact_match BETWEEN 0 AND 1); -- NULL: not measured then, or no row has a prompt

DROP VIEW rungs;
DROP VIEW trials;

-- As before, with exact_match (at best_step).
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
    (
        SELECT v.token_accuracy
        FROM attempts a
        JOIN events e ON e.attempt_id = a.id AND e.kind = 'eval' AND e.step = o.best_step
        JOIN evaluations v ON v.attempt_id = e.attempt_id AND v.seq = e.seq
        WHERE a.trial_id = t.id AND o.val_loss IS NOT NULL
        ORDER BY a.number DESC
        LIMIT 1
    ) AS token_accuracy,
    (
        SELECT v.exact_match
        FROM attempts a
        JOIN events e ON e.attempt_id = a.id AND e.kind = 'eval' AND e.step = o.best_step
        JOIN evaluations v ON v.attempt_id = e.attempt_id AND v.seq = e.seq
        WHERE a.trial_id = t.id AND o.val_loss IS NOT NULL
        ORDER BY a.number DESC
        LIMIT 1
    ) AS exact_match,
    o.retain_loss,
    o.retain_loss - o.base_retain AS forgetting,
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

-- As before, with the mean of exact_match.
CREATE VIEW rungs AS
SELECT sweep, ladder, cell, rank, tuned, seeds, finished, mean_val_loss, min_val_loss, max_val_loss, mean_train_loss, mean_token_accuracy, mean_exact_match, mean_retain_loss, mean_forgetting,
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
    GROUP BY sweep, ladder, cell, rank, candidate
)
WHERE place = 1
ORDER BY ladder, rank;

-- +goose Down
-- There is no way back: a database holds results that took hours. Restore a copy instead.
SELECT 1;

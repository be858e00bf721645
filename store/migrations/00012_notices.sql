-- run --notify: what was told of a sweep, and to whom, so that a resumed one does not tell it again.

-- +goose Up

CREATE TABLE notices (
    sweep_id INTEGER NOT NULL REFERENCES sweeps (id),
    target   TEXT    NOT NULL, -- digest of the command or address, which may hold a secret
    event    TEXT    NOT NULL, -- its id
    at_ns    INTEGER NOT NULL,
    PRIMARY KEY (sweep_id, target, event)
) STRICT, WITHOUT ROWID;

-- +goose Down
-- There is no way back: a database holds results that took hours. Restore a copy instead.
SELECT 1;

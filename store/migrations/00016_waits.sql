-- What a coordinator waits for, so that others can say why nothing new starts.

-- +goose Up

ALTER TABLE sessions ADD COLUMN waits_for TEXT NOT NULL DEFAULT ''; -- as of heartbeat_ns: why there is no room; empty: for nothing

-- +goose Down
-- There is no way back: a database holds results that took hours. Restore a copy instead.
SELECT 1;

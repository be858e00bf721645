-- race: cells that certainly cannot reach the best one stop. Sweeps of before do not race: they go on as they began.

-- +goose Up

ALTER TABLE sweeps ADD COLUMN race INTEGER NOT NULL DEFAULT 0 CHECK (race IN (0, 1));

-- +goose Down
-- There is no way back: a database holds results that took hours. Restore a copy instead.
SELECT 1;

-- seeds_per_rank: a rank is trained with as many seeds as its decision needs. Sweeps of before take all: they go on as they began.

-- +goose Up

ALTER TABLE sweeps ADD COLUMN seeds_per_rank TEXT NOT NULL DEFAULT 'all' CHECK (seeds_per_rank IN ('needed', 'all'));

-- +goose Down
-- There is no way back: a database holds results that took hours. Restore a copy instead.
SELECT 1;

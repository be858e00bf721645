-- Why an attempt ended, which says whether and how it is tried again, and with how many sequences in a forward pass it ran.

-- +goose Up

ALTER TABLE outcomes ADD COLUMN cause TEXT NOT NULL DEFAULT ''; -- of package cause; empty of what is done, and of earlier versions
ALTER TABLE outcomes ADD COLUMN micro_batch INTEGER NOT NULL DEFAULT 0 CHECK (micro_batch >= 0); -- fewer than batch_size; 0 means all

-- +goose Down
-- There is no way back: a database holds results that took hours. Restore a copy instead.
SELECT 1;

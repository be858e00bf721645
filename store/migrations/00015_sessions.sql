-- Sessions count running time by a clock that never jumps, and say more of their process: which start of the machine and which process of
-- that number it is, and what a person called it. heartbeat_ns follows the time of day, back too. Two more limits.

-- +goose Up

CREATE TABLE sessions_anew (
    id            INTEGER PRIMARY KEY AUTOINCREMENT, -- the fencing token: a newer session has a larger one
    sweep_id      INTEGER NOT NULL REFERENCES sweeps (id),
    host          TEXT    NOT NULL,
    pid           INTEGER NOT NULL,
    boot_id       TEXT    NOT NULL, -- of the machine's start, as /proc/sys/kernel/random/boot_id; empty: not known
    process_start INTEGER NOT NULL, -- clock ticks from the machine's start to the process's, field 22 of /proc/PID/stat; 0: not known
    command       TEXT    NOT NULL, -- without flags, which may hold secrets
    terminal      TEXT    NOT NULL, -- empty: none
    started_ns    INTEGER NOT NULL CHECK (started_ns >= 0),
    heartbeat_ns  INTEGER NOT NULL CHECK (heartbeat_ns >= 0), -- for people and other hosts: the time of day, which jumps
    ended_ns      INTEGER CHECK (ended_ns >= 0), -- NULL: it runs, or died after heartbeat_ns
    elapsed_ns    INTEGER NOT NULL CHECK (elapsed_ns >= 0) -- running time up to the last heartbeat, by the monotonic clock
) STRICT;
INSERT INTO sessions_anew
    SELECT id, sweep_id, host, pid, '', 0, '', '', started_ns, heartbeat_ns, ended_ns, ifnull(ended_ns, heartbeat_ns) - started_ns
    FROM sessions ORDER BY id;
UPDATE sqlite_sequence SET seq = (SELECT seq FROM sqlite_sequence WHERE name = 'sessions') WHERE name = 'sessions_anew';
DROP TABLE sessions;
ALTER TABLE sessions_anew RENAME TO sessions;
CREATE INDEX sessions_by_sweep ON sessions (sweep_id, id);

ALTER TABLE sweeps ADD COLUMN tokens_limit INTEGER NOT NULL DEFAULT 0 CHECK (tokens_limit >= 0); -- supervised tokens trained, 0: none
ALTER TABLE sweeps ADD COLUMN disk_limit INTEGER NOT NULL DEFAULT 0 CHECK (disk_limit >= 0); -- bytes of the root, 0: none

-- +goose Down
-- There is no way back: a database holds results that took hours. Restore a copy instead.
SELECT 1;

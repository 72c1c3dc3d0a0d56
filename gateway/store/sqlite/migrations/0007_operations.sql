-- Sending again in bulk: what such an operation is to do, and how far it has come.

CREATE TABLE operations (
    id          TEXT NOT NULL PRIMARY KEY,     -- op_…, made by whoever asks for it
    action      TEXT NOT NULL,                 -- redeliver or replay
    filter      TEXT NOT NULL,                 -- JSON; its moments are fixed when it begins
    rate        TEXT NOT NULL,                 -- JSON: so many, in so long
    started_at  INTEGER NOT NULL,
    finished_at INTEGER,
    due_at      INTEGER NOT NULL,              -- when what comes next is due at the earliest
    position    TEXT,                          -- JSON: what was looked at last
    pages       INTEGER NOT NULL,              -- done so far: who would do one twice is noticed by it
    done        INTEGER NOT NULL,              -- deliveries put back, or events routed again
    made        INTEGER NOT NULL,              -- new deliveries, of a replay
    failed      INTEGER NOT NULL               -- events of which something could not be routed
) STRICT, WITHOUT ROWID;

-- What a reason begins with, the same for all that ended alike: `http-500` of `http-500 (after 9 attempts)`.
ALTER TABLE deliveries ADD COLUMN reason_code TEXT GENERATED ALWAYS AS (
    CASE
        WHEN instr(reason, ': ') > 0 THEN substr(reason, 1, instr(reason, ': ') - 1)
        WHEN instr(reason, ' (after ') > 0 THEN substr(reason, 1, instr(reason, ' (after ') - 1)
        ELSE ifnull(reason, '')
    END
) VIRTUAL;

-- Only what can be put back is in it: history costs nothing. The key, (event_id, n), ends it.
CREATE INDEX deliveries_ended ON deliveries (state, endpoint) WHERE state IN ('dead', 'cancelled');

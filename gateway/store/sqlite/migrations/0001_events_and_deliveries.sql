-- Times are microseconds since the epoch. States are those of core/state.py.

CREATE TABLE events (
    id           TEXT NOT NULL PRIMARY KEY,    -- evt_…, sorts by time
    source       TEXT NOT NULL,
    key          TEXT,                         -- idempotency key, where the event has one
    type         TEXT NOT NULL,
    subject      TEXT,
    received_at  INTEGER NOT NULL,
    content_type TEXT NOT NULL,
    body         BLOB NOT NULL,                -- as received
    head         BLOB NOT NULL,                -- the CloudEvents envelope up to its data
    data         BLOB,                         -- the data, where it is no part of the body …
    data_start   INTEGER,                      -- … else body[data_start:data_end]
    data_end     INTEGER,
    sha256       BLOB NOT NULL,                -- of body, head and data, one after the other
    deliveries   INTEGER NOT NULL              -- how many it was routed to when it came
) STRICT;

-- Deduplication. Not unique: after a source's window, a key may come again.
CREATE INDEX events_by_key ON events (source, key, received_at) WHERE key IS NOT NULL;
CREATE INDEX events_unmatched ON events (id) WHERE deliveries = 0;

CREATE TABLE deliveries (
    event_id    TEXT NOT NULL,
    n           INTEGER NOT NULL,
    route       TEXT NOT NULL,
    endpoint    TEXT NOT NULL,
    state       TEXT NOT NULL,
    form        TEXT NOT NULL,                 -- event, raw, or own: the bytes in body
    body        BLOB,
    sha256      BLOB,                          -- of body
    attempts    INTEGER NOT NULL,
    round_from  INTEGER NOT NULL,              -- attempts made before it was last redelivered
    due_at      INTEGER NOT NULL,
    lease       INTEGER,                       -- the token that a worker must show
    lease_until INTEGER,
    created_at  INTEGER NOT NULL,
    finished_at INTEGER,
    reason      TEXT,                          -- of its last failure, its end, or its waiting
    PRIMARY KEY (event_id, n)
) STRICT, WITHOUT ROWID;

-- Each of these holds only rows in that state: history costs a claim nothing.
CREATE INDEX deliveries_due ON deliveries (endpoint, due_at) WHERE state = 'scheduled';
CREATE INDEX deliveries_leased ON deliveries (lease_until) WHERE state = 'leased';
CREATE INDEX deliveries_dead ON deliveries (endpoint, finished_at) WHERE state = 'dead';

CREATE TABLE attempts (
    event_id   TEXT NOT NULL,
    n          INTEGER NOT NULL,
    number     INTEGER NOT NULL,               -- from 1
    started_at INTEGER NOT NULL,
    duration   INTEGER NOT NULL,
    outcome    TEXT NOT NULL,
    status     INTEGER,
    reason     TEXT,
    excerpt    TEXT,                           -- of the answer, or of a handler's traceback
    calls      TEXT,                           -- JSON: the requests that a handler made
    PRIMARY KEY (event_id, n, number)
) STRICT, WITHOUT ROWID;

CREATE TABLE inbox (
    id           TEXT NOT NULL PRIMARY KEY,    -- inb_…, sorts by time
    source       TEXT NOT NULL,
    code         TEXT NOT NULL,
    detail       TEXT NOT NULL,
    received_at  INTEGER NOT NULL,
    content_type TEXT NOT NULL,
    body         BLOB NOT NULL,
    event_id     TEXT                          -- the event it is about, where there is one
) STRICT;

CREATE TABLE endpoints (
    name       TEXT NOT NULL PRIMARY KEY,
    state      TEXT NOT NULL,                  -- paused, disabled or blocked; an open one has no row
    reason     TEXT NOT NULL,
    changed_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

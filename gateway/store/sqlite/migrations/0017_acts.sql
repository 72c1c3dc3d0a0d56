-- Acts of handlers that may not be repeated, each written down before it is made; and every delivery that found it so.
CREATE TABLE acts (
    event_id TEXT NOT NULL,
    n        INTEGER NOT NULL,
    key      TEXT NOT NULL,                             -- the digest of what the handler calls it
    endpoint TEXT NOT NULL,
    begun_at INTEGER NOT NULL,                          -- when the first of them began it
    PRIMARY KEY (event_id, n, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX acts_by_key ON acts (endpoint, key);

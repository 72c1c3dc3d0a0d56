-- Acts of handlers that may not be repeated, each written down before it is made; and every delivery that found it so.
CREATE TABLE acts (
    event_id text COLLATE "C" NOT NULL,
    n        integer NOT NULL,
    key      text COLLATE "C" NOT NULL,        -- the digest of what the handler calls it
    endpoint text COLLATE "C" NOT NULL,
    begun_at bigint NOT NULL,                  -- when the first of them began it
    PRIMARY KEY (event_id, n, key)
);
CREATE INDEX acts_by_key ON acts (endpoint, key);

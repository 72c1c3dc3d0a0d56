-- What was received, and who was told: chains of links, one link for each commit (core/evidence.py).

CREATE TABLE evidence_chains (
    id       INTEGER PRIMARY KEY,
    name     TEXT NOT NULL,
    begun_at INTEGER NOT NULL,
    public_key BLOB NOT NULL,                  -- signs its links
    before   TEXT NOT NULL,                    -- JSON: the links that it names: chain, seq, hash
    named    INTEGER NOT NULL,                 -- the id of its last link that another chain has named
    gap      TEXT                              -- JSON, signed: up to where it was kept no longer
) STRICT;

CREATE TABLE evidence_links (
    id        INTEGER PRIMARY KEY,             -- the chain's, times 2^40, and its number there
    at        INTEGER NOT NULL,
    previous  BLOB NOT NULL,
    leaves    BLOB NOT NULL,                   -- the digests of its entries, 32 bytes each
    entries   BLOB NOT NULL,                   -- canonical JSON, a line each, compressed
    stored    INTEGER NOT NULL,                -- about how many bytes the chain takes up to here
    signature BLOB,
    data_key  INTEGER
) STRICT;

-- Where events are told of, and what of that is personal.
CREATE TABLE evidence_places (
    event_id TEXT NOT NULL,
    link     INTEGER NOT NULL,
    i        INTEGER NOT NULL,
    tag      BLOB,                             -- stands for the subject of an event that was received
    personal BLOB,                             -- canonical JSON; NULL: there is none, or it was erased
    PRIMARY KEY (event_id, link)
) STRICT, WITHOUT ROWID;

CREATE INDEX evidence_of_subject ON evidence_places (tag) WHERE tag IS NOT NULL;

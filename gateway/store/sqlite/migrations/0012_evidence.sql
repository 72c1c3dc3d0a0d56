-- What was received, and who was told: chains of links, one link for each commit (core/evidence.py).

CREATE TABLE evidence_chains (
    id       INTEGER PRIMARY KEY,
    name     TEXT NOT NULL,
    begun_at INTEGER NOT NULL,
    public_key TEXT NOT NULL,                  -- signs its links
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
    personal  BLOB NOT NULL,                   -- JSON, a line for each; an empty one: nothing is, or it was erased
    stored    INTEGER NOT NULL,                -- about how many bytes the chain takes up to here
    signature BLOB,
    data_key  INTEGER,
    personal_key INTEGER                       -- the data key of personal: it is sealed anew when some of it is erased
) STRICT;

-- Where an event is told of, and where the receipt of one with a subject: under a number that stands for it.
CREATE TABLE evidence_places (
    what INTEGER NOT NULL,
    link INTEGER NOT NULL,
    i    INTEGER NOT NULL,
    PRIMARY KEY (what, link, i)
) STRICT, WITHOUT ROWID;

-- What was received, and who was told: chains of links, one link for each commit (core/evidence.py).
CREATE TABLE evidence_chains (
    id       bigint NOT NULL PRIMARY KEY,
    name     text COLLATE "C" NOT NULL,
    begun_at bigint NOT NULL,
    public_key bytea NOT NULL,                 -- signs its links
    before   text NOT NULL,                    -- JSON: the links that it names: chain, seq, hash
    named    bigint NOT NULL,                  -- the id of its last link that another chain has named
    gap      text                              -- JSON, signed: up to where it was kept no longer
);

CREATE TABLE evidence_links (
    id        bigint NOT NULL PRIMARY KEY,     -- the chain's, times 2^40, and its number there
    at        bigint NOT NULL,
    previous  bytea NOT NULL,
    leaves    bytea NOT NULL,                  -- the digests of its entries, 32 bytes each
    entries   bytea NOT NULL,                  -- canonical JSON, a line each, compressed
    stored    bigint NOT NULL,                 -- about how many bytes the chain takes up to here
    signature bytea,
    data_key  integer
);

-- Where events are told of, and what of that is personal.
CREATE TABLE evidence_places (
    event_id text COLLATE "C" NOT NULL,
    link     bigint NOT NULL,
    i        integer NOT NULL,
    tag      bytea,                            -- stands for the subject of an event that was received
    personal bytea,                            -- canonical JSON; NULL: there is none, or it was erased
    PRIMARY KEY (event_id, link)
);
CREATE INDEX evidence_of_subject ON evidence_places (tag) WHERE tag IS NOT NULL;

-- What was received, and who was told: chains of links, one link for each commit (core/evidence.py).
CREATE TABLE evidence_chains (
    id       bigint NOT NULL PRIMARY KEY,
    name     text COLLATE "C" NOT NULL,
    begun_at bigint NOT NULL,
    public_key text NOT NULL,                  -- signs its links
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
    personal  bytea NOT NULL,                  -- JSON, a line for each; an empty one: nothing is, or it was erased
    stored    bigint NOT NULL,                 -- about how many bytes the chain takes up to here
    signature bytea,
    data_key  integer,
    personal_key integer                       -- the data key of personal: it is sealed anew when some of it is erased
);

-- Where an event is told of, and where the receipt of one with a subject: under a number that stands for it.
CREATE TABLE evidence_places (
    what bigint NOT NULL,
    link bigint NOT NULL,
    i    integer NOT NULL,
    PRIMARY KEY (what, link, i)
);

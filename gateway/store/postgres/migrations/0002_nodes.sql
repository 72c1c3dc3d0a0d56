-- The gateways on this database, for operators to see and for what they share. Times are the database's.
CREATE TABLE nodes (
    id         text COLLATE "C" NOT NULL PRIMARY KEY,
    name       text NOT NULL,
    version    text NOT NULL,
    routes     text NOT NULL,      -- the fingerprint of its routes files
    started_at bigint NOT NULL,
    seen_at    bigint NOT NULL
) WITH (fillfactor = 50);

-- How many of an endpoint's attempts at once are a node's, until so long after it was seen.
CREATE TABLE shares (
    endpoint text COLLATE "C" NOT NULL,
    node     text COLLATE "C" NOT NULL,
    places   integer NOT NULL,
    holds    bigint NOT NULL,
    PRIMARY KEY (endpoint, node)
) WITH (fillfactor = 70);

-- By which routes files an event was routed when it came: nodes may go by different ones.
ALTER TABLE events ADD COLUMN routes text;

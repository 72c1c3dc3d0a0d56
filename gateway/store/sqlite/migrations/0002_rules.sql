-- What routes say beyond match and endpoint: once, shadow, named targets.

ALTER TABLE deliveries ADD COLUMN target TEXT;        -- its name, where the route's target has one

-- How many routes took the event: one that withheld everything counts too.
ALTER TABLE events ADD COLUMN matched INTEGER NOT NULL DEFAULT 0;
UPDATE events SET matched = deliveries WHERE deliveries > 0;
DROP INDEX events_unmatched;
CREATE INDEX events_unmatched ON events (id) WHERE matched = 0;

-- `once`: the values for which a route has fired, and the event that it fired for.
CREATE TABLE firings (
    route    TEXT NOT NULL,
    value    TEXT NOT NULL,
    event_id TEXT NOT NULL,
    fired_at INTEGER NOT NULL,
    PRIMARY KEY (route, value)
) STRICT, WITHOUT ROWID;

-- What a route that matched did not send, and why: `shadow`, or `once`.
CREATE TABLE withheld (
    event_id TEXT NOT NULL,
    route    TEXT NOT NULL,
    reason   TEXT NOT NULL,
    detail   TEXT NOT NULL,
    at       INTEGER NOT NULL,
    PRIMARY KEY (event_id, route)
) STRICT, WITHOUT ROWID;

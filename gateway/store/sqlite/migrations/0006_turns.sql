-- When a delivery may be attempted, where that is not simply at once (core/turns.py).

ALTER TABLE deliveries ADD COLUMN priority INTEGER NOT NULL DEFAULT 1;   -- 0 high, 1 normal, 2 low
ALTER TABLE deliveries ADD COLUMN key TEXT;             -- one in flight for each, per endpoint
ALTER TABLE deliveries ADD COLUMN place TEXT;           -- in its key's queue, once it stands there
ALTER TABLE deliveries ADD COLUMN waits_for TEXT;       -- key or after: what others have to end first
ALTER TABLE deliveries ADD COLUMN after TEXT;           -- JSON: of what it waits for, see core/turns.py
ALTER TABLE deliveries ADD COLUMN leads INTEGER NOT NULL DEFAULT 0;      -- 1: others wait for its end
ALTER TABLE deliveries ADD COLUMN slot TEXT;            -- of those that share it, only the latest is sent
ALTER TABLE deliveries ADD COLUMN since INTEGER;        -- when the first of its slot came that was not sent
ALTER TABLE deliveries ADD COLUMN expires_at INTEGER;
ALTER TABLE deliveries ADD COLUMN late_at INTEGER;

-- What may be claimed, and nothing else: whatever waits for others costs a claim nothing. The last two
-- columns say what is known of every row in the index; with them, counting does not look into the table.
DROP INDEX deliveries_due;
CREATE INDEX deliveries_due ON deliveries (endpoint, priority, due_at, waits_for, state)
    WHERE state = 'scheduled' AND waits_for IS NULL;
CREATE INDEX deliveries_waiting ON deliveries (endpoint, due_at, waits_for, state)
    WHERE state = 'scheduled' AND waits_for IS NOT NULL;

-- The queue of a key, and who of it is being attempted.
CREATE INDEX deliveries_queue ON deliveries (endpoint, key, priority, place, n)
    WHERE state = 'scheduled' AND place IS NOT NULL;
CREATE INDEX deliveries_in_flight ON deliveries (endpoint, key)
    WHERE state = 'leased' AND key IS NOT NULL;

CREATE INDEX deliveries_slots ON deliveries (slot) WHERE state = 'scheduled' AND slot IS NOT NULL;
CREATE INDEX deliveries_expiring ON deliveries (expires_at)
    WHERE state = 'scheduled' AND expires_at IS NOT NULL;
CREATE INDEX deliveries_late ON deliveries (late_at)
    WHERE state IN ('scheduled', 'leased') AND late_at IS NOT NULL;

-- Up to when lateness has been reported: nothing is told twice.
CREATE TABLE told (
    what TEXT NOT NULL PRIMARY KEY,
    till INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- `confirm`: by then everything that a route sent of an event is delivered, or an event says what is not.
CREATE TABLE confirmations (
    event_id  TEXT NOT NULL,
    route     TEXT NOT NULL,
    due_at    INTEGER NOT NULL,
    otherwise TEXT NOT NULL,                            -- the type of that event
    PRIMARY KEY (event_id, route)
) STRICT, WITHOUT ROWID;
CREATE INDEX confirmations_due ON confirmations (due_at);

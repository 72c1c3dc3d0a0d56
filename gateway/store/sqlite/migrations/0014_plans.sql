-- Events that the gateway itself is to make, at once or at a moment to come (core/plans.py). What they will say is
-- kept here: the event that led to one may be gone when it is due.
CREATE TABLE plans (
    id          TEXT NOT NULL PRIMARY KEY,
    planner     TEXT NOT NULL,                          -- the rule: routes/NAME or schedules/NAME
    key         TEXT NOT NULL,                          -- what it is planned for
    due_at      INTEGER NOT NULL,
    nearest     INTEGER NOT NULL,                       -- 1: of several that are due, only the latest is made
    event_id    TEXT NOT NULL,                          -- what it follows from
    type        TEXT NOT NULL,                          -- of the event that it will be
    subject     TEXT,
    says        BLOB NOT NULL,                          -- JSON: what it will say
    data_key    INTEGER,
    taken_until INTEGER NOT NULL DEFAULT 0              -- by whoever is making it
) STRICT, WITHOUT ROWID;
CREATE INDEX plans_due ON plans (due_at);
CREATE INDEX plans_of_key ON plans (planner, key);
CREATE INDEX plans_of_event ON plans (event_id);
CREATE INDEX plans_of_subject ON plans (subject) WHERE subject IS NOT NULL;

-- Of which event the plan of a key is, also where nothing of it is left: an older event does not replace it.
CREATE TABLE planned_for (
    planner  TEXT NOT NULL,
    key      TEXT NOT NULL,
    as_of    INTEGER NOT NULL,                          -- when that event happened
    event_id TEXT NOT NULL,
    PRIMARY KEY (planner, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX planned_for_oldest ON planned_for (as_of);

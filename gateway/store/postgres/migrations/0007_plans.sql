-- Events that the gateway itself is to make, at once or at a moment to come (core/plans.py). What they will say is
-- kept here: the event that led to one may be gone when it is due.
CREATE TABLE plans (
    id          text COLLATE "C" NOT NULL PRIMARY KEY,
    planner     text COLLATE "C" NOT NULL,     -- the rule: routes/NAME or schedules/NAME
    key         text COLLATE "C" NOT NULL,     -- what it is planned for
    due_at      bigint NOT NULL,
    nearest     smallint NOT NULL,             -- 1: of several that are due, only the latest is made
    event_id    text COLLATE "C" NOT NULL,     -- what it follows from
    type        text NOT NULL,                 -- of the event that it will be
    subject     text COLLATE "C",
    says        bytea NOT NULL,                -- JSON: what it will say
    data_key    integer,
    taken_until bigint NOT NULL DEFAULT 0      -- by whoever is making it
);
CREATE INDEX plans_due ON plans (due_at);
CREATE INDEX plans_of_key ON plans (planner, key);
CREATE INDEX plans_of_event ON plans (event_id);
CREATE INDEX plans_of_subject ON plans (subject) WHERE subject IS NOT NULL;

-- Of which event the plan of a key is, also where nothing of it is left: an older event does not replace it.
CREATE TABLE planned_for (
    planner  text COLLATE "C" NOT NULL,
    key      text COLLATE "C" NOT NULL,
    as_of    bigint NOT NULL,                  -- when that event happened
    event_id text COLLATE "C" NOT NULL,
    PRIMARY KEY (planner, key)
);
CREATE INDEX planned_for_oldest ON planned_for (as_of);

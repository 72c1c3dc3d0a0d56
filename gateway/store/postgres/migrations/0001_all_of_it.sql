-- Times are microseconds since the epoch. States are those of core/state.py. What columns hold is told by
-- the migrations of SQLite, whose columns these are.
--
-- Names and keys are compared byte by byte: ids sort by time so, whatever the database's collation.
-- No sequences, and no foreign keys across tables: the event's id comes first in every key, so that rows of
-- an event can lie together wherever tables are spread over machines.

-- By day of the event's id: a day is dropped in one go. What has no day of its own yet goes to the default.
CREATE TABLE events (
    id           text COLLATE "C" NOT NULL PRIMARY KEY,
    source       text COLLATE "C" NOT NULL,
    key          text COLLATE "C",
    type         text COLLATE "C" NOT NULL,
    subject      text COLLATE "C",
    received_at  bigint NOT NULL,
    content_type text NOT NULL,
    body         bytea NOT NULL,
    head         bytea NOT NULL,
    data         bytea,
    data_start   integer,
    data_end     integer,
    sha256       bytea NOT NULL,
    deliveries   integer NOT NULL,
    matched      integer NOT NULL,
    data_key     integer,
    erased_at    bigint
) PARTITION BY RANGE (id);
CREATE INDEX events_unmatched ON events (id) WHERE matched = 0;

-- Deduplication. A unique constraint cannot span partitions, so keys have a table of their own. After its
-- source's window a key goes over to a newer event.
CREATE TABLE event_keys (
    source      text COLLATE "C" NOT NULL,
    key         text COLLATE "C" NOT NULL,
    event_id    text COLLATE "C" NOT NULL,
    received_at bigint NOT NULL,
    PRIMARY KEY (source, key)
);

-- What is still to be done, and nothing else: the table stays small, whatever the history is.
CREATE TABLE deliveries (
    event_id    text COLLATE "C" NOT NULL,
    n           integer NOT NULL,
    route       text COLLATE "C" NOT NULL,
    endpoint    text COLLATE "C" NOT NULL,
    state       text COLLATE "C" NOT NULL,     -- scheduled or leased
    form        text NOT NULL,
    body        bytea,
    sha256      bytea,
    target      text COLLATE "C",
    attempts    integer NOT NULL DEFAULT 0,
    round_from  integer NOT NULL DEFAULT 0,
    due_at      bigint NOT NULL,
    lease       bigint,
    lease_until bigint,
    created_at  bigint NOT NULL,
    reason      text,
    data_key    integer,
    priority    integer NOT NULL DEFAULT 1,
    leads       integer NOT NULL DEFAULT 0,
    key         text COLLATE "C",
    place       text COLLATE "C",
    waits_for   text COLLATE "C",
    after       text,
    slot        text COLLATE "C",
    since       bigint,
    expires_at  bigint,
    late_at     bigint,
    PRIMARY KEY (event_id, n)
) WITH (
    fillfactor = 70,
    autovacuum_vacuum_scale_factor = 0.01,
    autovacuum_vacuum_threshold = 500,
    autovacuum_vacuum_cost_delay = 0,
    autovacuum_analyze_scale_factor = 0.05
);

CREATE INDEX deliveries_due ON deliveries (endpoint, priority, due_at)
    WHERE state = 'scheduled' AND waits_for IS NULL;
CREATE INDEX deliveries_waiting ON deliveries (endpoint, due_at)
    WHERE state = 'scheduled' AND waits_for IS NOT NULL;
CREATE INDEX deliveries_leased ON deliveries (lease_until) WHERE state = 'leased';
CREATE INDEX deliveries_queue ON deliveries (endpoint, key, priority, place, n)
    WHERE state = 'scheduled' AND place IS NOT NULL;
CREATE INDEX deliveries_in_flight ON deliveries (endpoint, key)
    WHERE state = 'leased' AND key IS NOT NULL;
CREATE INDEX deliveries_slots ON deliveries (slot, event_id, n)
    WHERE state = 'scheduled' AND slot IS NOT NULL;
CREATE INDEX deliveries_expiring ON deliveries (expires_at)
    WHERE state = 'scheduled' AND expires_at IS NOT NULL;
CREATE INDEX deliveries_late ON deliveries (late_at) WHERE late_at IS NOT NULL;

CREATE TABLE ended_deliveries (
    event_id    text COLLATE "C" NOT NULL,
    n           integer NOT NULL,
    route       text COLLATE "C" NOT NULL,
    endpoint    text COLLATE "C" NOT NULL,
    state       text COLLATE "C" NOT NULL,
    form        text NOT NULL,
    body        bytea,
    sha256      bytea,
    target      text COLLATE "C",
    attempts    integer NOT NULL,
    round_from  integer NOT NULL,
    due_at      bigint NOT NULL,
    created_at  bigint NOT NULL,
    finished_at bigint NOT NULL,
    reason      text,
    data_key    integer,
    priority    integer NOT NULL,
    leads       integer NOT NULL,
    key         text COLLATE "C",
    place       text COLLATE "C",
    after       text,
    slot        text COLLATE "C",
    since       bigint,
    expires_at  bigint,
    late_at     bigint,
    reason_code text COLLATE "C" GENERATED ALWAYS AS (
        CASE
            WHEN strpos(reason, ': ') > 0 THEN substr(reason, 1, strpos(reason, ': ') - 1)
            WHEN strpos(reason, ' (after ') > 0 THEN substr(reason, 1, strpos(reason, ' (after ') - 1)
            ELSE coalesce(reason, '')
        END
    ) STORED,
    PRIMARY KEY (event_id, n)
) PARTITION BY RANGE (event_id);
CREATE INDEX ended_deliveries_again ON ended_deliveries (state, endpoint, event_id, n)
    WHERE state IN ('dead', 'cancelled');

CREATE VIEW all_deliveries AS
SELECT event_id, n, route, endpoint, state, form, target, attempts, round_from, due_at, created_at,
       NULL::bigint AS finished_at, reason, priority, leads, key, waits_for, after, expires_at, late_at
FROM deliveries
UNION ALL
SELECT event_id, n, route, endpoint, state, form, target, attempts, round_from, due_at, created_at,
       finished_at, reason, priority, leads, key, NULL::text COLLATE "C", after, expires_at, late_at
FROM ended_deliveries;

CREATE TABLE attempts (
    event_id   text COLLATE "C" NOT NULL,
    n          integer NOT NULL,
    number     integer NOT NULL,
    started_at bigint NOT NULL,
    duration   bigint NOT NULL,
    outcome    text NOT NULL,
    status     integer,
    reason     text,
    excerpt    text,
    calls      text,
    data_key   integer,
    PRIMARY KEY (event_id, n, number)
) PARTITION BY RANGE (event_id);

CREATE TABLE withheld (
    event_id text COLLATE "C" NOT NULL,
    route    text COLLATE "C" NOT NULL,
    reason   text NOT NULL,
    detail   text NOT NULL,
    at       bigint NOT NULL,
    PRIMARY KEY (event_id, route)
) PARTITION BY RANGE (event_id);

CREATE TABLE events_default PARTITION OF events DEFAULT;
CREATE TABLE ended_deliveries_default PARTITION OF ended_deliveries DEFAULT;
CREATE TABLE attempts_default PARTITION OF attempts DEFAULT;
CREATE TABLE withheld_default PARTITION OF withheld DEFAULT;

CREATE TABLE confirmations (
    event_id  text COLLATE "C" NOT NULL,
    route     text COLLATE "C" NOT NULL,
    due_at    bigint NOT NULL,
    otherwise text NOT NULL,
    PRIMARY KEY (event_id, route)
);
CREATE INDEX confirmations_due ON confirmations (due_at);

CREATE TABLE firings (
    route    text COLLATE "C" NOT NULL,
    value    text COLLATE "C" NOT NULL,
    event_id text COLLATE "C" NOT NULL,
    fired_at bigint NOT NULL,
    PRIMARY KEY (route, value)
);
CREATE INDEX firings_by_time ON firings (fired_at);

CREATE TABLE inbox (
    id           text COLLATE "C" NOT NULL PRIMARY KEY,
    source       text COLLATE "C" NOT NULL,
    code         text COLLATE "C" NOT NULL,
    detail       text NOT NULL,
    received_at  bigint NOT NULL,
    content_type text NOT NULL,
    body         bytea NOT NULL,
    event_id     text COLLATE "C",
    data_key     integer,
    refused      integer NOT NULL DEFAULT 0,
    outcome      text COLLATE "C",
    peer         text,
    method       text,
    headers      text,
    body_bytes   integer,
    sha256       bytea,
    kept_bytes   integer NOT NULL DEFAULT 0
);
CREATE INDEX inbox_refused ON inbox (id, kept_bytes) WHERE refused = 1;
CREATE INDEX inbox_by_event ON inbox (event_id) WHERE event_id IS NOT NULL;

CREATE TABLE endpoints (
    name       text COLLATE "C" NOT NULL PRIMARY KEY,
    state      text NOT NULL,
    reason     text NOT NULL,
    changed_at bigint NOT NULL
);

CREATE TABLE lanes (
    name       text COLLATE "C" NOT NULL PRIMARY KEY,
    begun_at   bigint NOT NULL,
    held_until bigint NOT NULL,
    since      bigint NOT NULL,
    probe_at   bigint NOT NULL,
    probes     integer NOT NULL,
    reason     text NOT NULL
) WITH (fillfactor = 50, autovacuum_vacuum_threshold = 500, autovacuum_vacuum_scale_factor = 0.01);

CREATE TABLE audit (
    id      text COLLATE "C" NOT NULL PRIMARY KEY,
    at      bigint NOT NULL,
    who     text NOT NULL,
    address text NOT NULL,
    action  text NOT NULL,
    object  text NOT NULL,
    outcome text NOT NULL
);

CREATE TABLE told (
    what text COLLATE "C" NOT NULL PRIMARY KEY,
    till bigint NOT NULL
);

CREATE TABLE operations (
    id          text COLLATE "C" NOT NULL PRIMARY KEY,
    action      text NOT NULL,
    filter      text NOT NULL,
    rate        text NOT NULL,
    started_at  bigint NOT NULL,
    finished_at bigint,
    due_at      bigint NOT NULL,
    position    text,
    pages       integer NOT NULL,
    done        integer NOT NULL,
    made        integer NOT NULL,
    failed      integer NOT NULL
);

CREATE TABLE data_keys (
    id      integer NOT NULL PRIMARY KEY,
    wrapped bytea NOT NULL
);

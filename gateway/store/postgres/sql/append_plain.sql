-- Many events, each whole or, where its key came before, not at all: one statement, and one commit.
-- `IS TRUE` has what is new looked up in a hash, and not searched through for every row.
WITH given AS MATERIALIZED (
    SELECT *
    FROM unnest(
        ?::text[], ?::text[], ?::text[], ?::text[], ?::text[], ?::bigint[], ?::text[], ?::bytea[],
        ?::bytea[], ?::bytea[], ?::integer[], ?::integer[], ?::bytea[], ?::integer[], ?::integer[],
        ?::integer[], ?::text[], ?::bigint[]
    ) AS given (
        id, source, key, type, subject, received_at, content_type, body,
        head, data, data_start, data_end, sha256, deliveries, matched,
        data_key, routes, since
    )
),
keyed AS (
    INSERT INTO event_keys (source, key, event_id, received_at)
    SELECT source, key, id, received_at
    FROM given
    WHERE key IS NOT NULL
    ORDER BY source, key                        -- so that no two batches wait for each other
    ON CONFLICT (source, key) DO UPDATE
    SET event_id = excluded.event_id, received_at = excluded.received_at
    WHERE event_keys.received_at < (SELECT since FROM given WHERE id = excluded.event_id)
    RETURNING event_id
),
fresh AS MATERIALIZED (
    SELECT id FROM given WHERE key IS NULL UNION ALL SELECT event_id FROM keyed
),
kept AS (
    INSERT INTO events (id, source, key, type, subject, received_at, content_type, body, head, data,
                        data_start, data_end, sha256, deliveries, matched, data_key, routes)
    SELECT id, source, key, type, subject, received_at, content_type, body, head, data,
           data_start, data_end, sha256, deliveries, matched, data_key, routes
    FROM given
    WHERE (id IN (SELECT id FROM fresh)) IS TRUE
),
sent AS (
    INSERT INTO deliveries (event_id, n, route, endpoint, state, form, body, sha256, target, due_at,
                            lease, lease_until, created_at, data_key, priority, leads)
    SELECT *
    FROM unnest(
        ?::text[], ?::integer[], ?::text[], ?::text[], ?::text[], ?::text[], ?::bytea[], ?::bytea[],
        ?::text[], ?::bigint[], ?::bigint[], ?::bigint[], ?::bigint[], ?::integer[], ?::integer[],
        ?::integer[]
    ) AS given (
        event_id, n, route, endpoint, state, form, body, sha256,
        target, due_at, lease, lease_until, created_at, data_key, priority,
        leads
    )
    WHERE (event_id IN (SELECT id FROM fresh)) IS TRUE
),
not_sent AS (
    INSERT INTO withheld (event_id, route, reason, detail, at)
    SELECT *
    FROM unnest(?::text[], ?::text[], ?::text[], ?::text[], ?::bigint[])
        AS given (event_id, route, reason, detail, at)
    WHERE (event_id IN (SELECT id FROM fresh)) IS TRUE
),
noted AS (
    INSERT INTO inbox (id, source, code, detail, received_at, content_type, body, event_id, headers, data_key)
    SELECT *
    FROM unnest(?::text[], ?::text[], ?::text[], ?::text[], ?::bigint[], ?::text[], ?::bytea[], ?::text[],
                ?::text[], ?::integer[])
        AS given (id, source, code, detail, received_at, content_type, body, event_id, headers, data_key)
    WHERE (event_id IN (SELECT id FROM fresh)) IS TRUE
)
SELECT id FROM fresh

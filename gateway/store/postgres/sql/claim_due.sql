-- Lease what is due, and tell what is due but has to be asked whose turn it is. Of each priority what is due
-- the longest; of higher priority first, with a share left for the others; no more than there is room for.
WITH high AS MATERIALIZED (
    SELECT priority, event_id, n, due_at, key, place, slot, expires_at, octet_length(body) AS own
    FROM deliveries
    WHERE endpoint = :endpoint AND priority = 0 AND state = 'scheduled' AND waits_for IS NULL AND due_at <= :now
    ORDER BY due_at
    LIMIT :most::integer
    FOR UPDATE SKIP LOCKED
),
normal AS MATERIALIZED (
    SELECT priority, event_id, n, due_at, key, place, slot, expires_at, octet_length(body) AS own
    FROM deliveries
    WHERE endpoint = :endpoint AND priority = 1 AND state = 'scheduled' AND waits_for IS NULL AND due_at <= :now
    ORDER BY due_at
    LIMIT :most::integer
    FOR UPDATE SKIP LOCKED
),
low AS MATERIALIZED (
    SELECT priority, event_id, n, due_at, key, place, slot, expires_at, octet_length(body) AS own
    FROM deliveries
    WHERE endpoint = :endpoint AND priority = 2 AND state = 'scheduled' AND waits_for IS NULL AND due_at <= :now
    ORDER BY due_at
    LIMIT :most::integer
    FOR UPDATE SKIP LOCKED
),
found AS (
    SELECT *, row_number() OVER (PARTITION BY priority ORDER BY due_at, event_id, n) AS rank
    FROM (SELECT * FROM high UNION ALL SELECT * FROM normal UNION ALL SELECT * FROM low) AS found
),
counted AS (
    SELECT (SELECT count(*) FROM high) AS high,
           (SELECT count(*) FROM normal) AS normal,
           (SELECT count(*) FROM low) AS low,
           least((SELECT count(*) FROM normal), :normal_turns::integer) AS normal_share,
           least((SELECT count(*) FROM low), :low_turns::integer) AS low_share
),
dealt_high AS (
    SELECT *, least(high, :most::integer - normal_share - low_share) AS high_dealt FROM counted
),
dealt AS (
    SELECT high_dealt, least(normal, :most::integer - high_dealt - low_share) AS normal_dealt, low
    FROM dealt_high
),
wanted AS MATERIALIZED (
    SELECT found.*, row_number() OVER (ORDER BY priority, rank) AS number,
           coalesce(own, 0) + (SELECT octet_length(e.body) FROM events AS e WHERE e.id = found.event_id) AS size
    FROM found
    CROSS JOIN dealt
    WHERE rank <= CASE priority
        WHEN 0 THEN high_dealt
        WHEN 1 THEN normal_dealt
        ELSE :most::integer - high_dealt - normal_dealt
    END
),
chosen AS MATERIALIZED (
    SELECT *
    FROM (SELECT wanted.*, sum(size) OVER (ORDER BY number) AS together FROM wanted) AS wanted
    WHERE together + :taken_bytes::bigint <= :most_bytes::bigint OR (number = 1 AND :taken_bytes::bigint = 0)
),
leased AS (
    UPDATE deliveries AS d
    SET state = 'leased', lease = (:tokens::bigint[])[number], lease_until = (:untils::bigint[])[number]
    FROM chosen
    WHERE d.event_id = ANY (ARRAY[chosen.event_id]) AND d.n = chosen.n    -- see record_outcomes
      AND chosen.key IS NULL AND chosen.expires_at IS NULL
    RETURNING d.*
)
SELECT c.priority, c.event_id, c.n, c.due_at, c.key, c.place, c.slot, c.expires_at,
       c.size, (SELECT count(*) FROM wanted) > (SELECT count(*) FROM chosen),
       d.n, d.route, d.endpoint, d.form, d.body, d.sha256, d.target, d.attempts, d.round_from,
       CASE WHEN d.attempts > d.round_from THEN
           (SELECT started_at FROM attempts
            WHERE event_id = d.event_id AND n = d.n AND number = d.round_from + 1)
       END,
       d.lease, d.lease_until, d.priority, d.leads, d.key, d.slot, d.expires_at, nullif(d.created_at, e.received_at),
       e.id, e.source, e.key, e.received_at, e.content_type,
       e.body, e.head, e.data, e.data_start, e.data_end, e.sha256,
       d.data_key, e.data_key
FROM chosen AS c
LEFT JOIN leased AS d ON d.event_id = c.event_id AND d.n = c.n
LEFT JOIN LATERAL (SELECT * FROM events WHERE id = d.event_id LIMIT 1) AS e ON true    -- always by its key
ORDER BY c.number

-- Whose keys are new, or were last seen before their window: all others are duplicates.
WITH given AS MATERIALIZED (
    SELECT *
    FROM unnest(?::text[], ?::text[], ?::text[], ?::bigint[], ?::bigint[])
        AS given (id, source, key, received_at, since)
)
INSERT INTO event_keys (source, key, event_id, received_at)
SELECT source, key, id, received_at
FROM given
WHERE key IS NOT NULL
ORDER BY source, key                        -- so that no two batches wait for each other
ON CONFLICT (source, key) DO UPDATE
SET event_id = excluded.event_id, received_at = excluded.received_at
WHERE event_keys.received_at < (SELECT since FROM given WHERE id = excluded.event_id)
RETURNING event_id

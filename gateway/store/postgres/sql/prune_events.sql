-- Work that is not finished is never pruned, whatever has happened since the event was examined.
WITH gone AS (
    DELETE FROM events
    WHERE id = ANY(?::text[]) AND NOT EXISTS (SELECT 1 FROM deliveries WHERE event_id = ANY (ARRAY[events.id]))
    RETURNING id, source, key
),
keys AS (
    DELETE FROM event_keys AS k
    USING gone
    WHERE k.source = gone.source AND k.key = gone.key AND k.event_id = gone.id
)
SELECT id FROM gone

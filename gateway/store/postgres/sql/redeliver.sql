-- Nothing else has to end before it any more, and it expires no more: a person wants it sent.
WITH gone AS (
    DELETE FROM ended_deliveries
    WHERE event_id = ?2 AND n = ?3 AND state IN ('dead', 'cancelled')
      AND EXISTS (SELECT 1 FROM events WHERE id = ?2 AND erased_at IS NULL)
    RETURNING {kept}, attempts
)
INSERT INTO deliveries (state, due_at, round_from, attempts, {kept})
SELECT 'scheduled', ?1::bigint, attempts, attempts, {kept}
FROM gone
RETURNING leads

-- What was cancelled because the delivery before it had not been delivered waits for it again.
WITH gone AS (
    DELETE FROM ended_deliveries
    WHERE event_id = ?1 AND state = 'cancelled' AND after IS NOT NULL AND substr(reason, 1, ?3::integer) = ?2
    RETURNING {kept}, attempts, due_at, expires_at
)
INSERT INTO deliveries (state, waits_for, round_from, attempts, due_at, expires_at, {kept})
SELECT 'scheduled', 'after', attempts, attempts, due_at, expires_at, {kept}
FROM gone

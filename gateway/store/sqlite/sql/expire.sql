UPDATE deliveries
SET state = 'cancelled', waits_for = NULL, finished_at = :now, reason = :reason
WHERE (event_id, n) IN (
    SELECT event_id, n
    FROM deliveries
    WHERE state = 'scheduled' AND expires_at IS NOT NULL AND expires_at <= :now
    ORDER BY expires_at
    LIMIT :most
)
RETURNING event_id, n, endpoint, key, leads

WITH gone AS (
    DELETE FROM deliveries
    WHERE (event_id, n) IN (
        SELECT event_id, n
        FROM deliveries
        WHERE state = 'scheduled' AND expires_at IS NOT NULL AND expires_at <= :now::bigint
        ORDER BY expires_at
        LIMIT :most
        FOR UPDATE SKIP LOCKED
    )
    RETURNING {moved}
)
INSERT INTO ended_deliveries (state, finished_at, reason, {moved})
SELECT 'cancelled', :now::bigint, :reason::text, {moved}
FROM gone
RETURNING event_id, n, endpoint, key, leads

WITH gone AS (
    DELETE FROM deliveries
    WHERE event_id = ANY(?1::text[]) AND state = 'scheduled'
    RETURNING {moved}
)
INSERT INTO ended_deliveries (state, finished_at, reason, {moved})
SELECT 'cancelled', ?2::bigint, NULL, {moved}
FROM gone
RETURNING event_id, n, endpoint, key, leads

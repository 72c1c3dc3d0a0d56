WITH gone AS (
    DELETE FROM deliveries
    WHERE event_id = ?3 AND n = ?4 AND state = 'leased'
    RETURNING {moved}
)
INSERT INTO ended_deliveries (state, finished_at, reason, {moved})
SELECT 'dead', ?1::bigint, ?2::text, {moved}
FROM gone
RETURNING event_id, n, endpoint, key, leads

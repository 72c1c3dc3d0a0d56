WITH gone AS (
    DELETE FROM deliveries
    WHERE slot = ?3 AND state = 'scheduled' AND (event_id, n) < (?4, ?5)
    RETURNING {moved}
)
INSERT INTO ended_deliveries (state, finished_at, reason, {moved})
SELECT 'superseded', ?1::bigint, ?2::text, {moved}
FROM gone
RETURNING event_id, n, endpoint, key, leads, attempts, since

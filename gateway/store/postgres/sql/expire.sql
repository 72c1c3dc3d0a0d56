WITH due AS MATERIALIZED (
    SELECT event_id AS of_event, n AS of_n
    FROM deliveries
    WHERE state = 'scheduled' AND expires_at IS NOT NULL AND expires_at <= :now::bigint
    ORDER BY expires_at
    LIMIT :most
    FOR UPDATE SKIP LOCKED
),
gone AS (
    DELETE FROM deliveries
    USING due
    WHERE event_id = ANY (ARRAY[of_event]) AND n = of_n    -- see record_outcomes
    RETURNING {moved}
)
INSERT INTO ended_deliveries (state, finished_at, reason, {moved})
SELECT 'cancelled', :now::bigint, :reason::text, {moved}
FROM gone
RETURNING event_id, n, endpoint, key, leads

-- A delivery that goes back on schedule, where a newer one has its slot by now.
WITH newer AS MATERIALIZED (
    SELECT event_id, n
    FROM deliveries
    WHERE slot = :slot AND state = 'scheduled' AND (event_id, n) > (:event_id, :n)
    ORDER BY event_id DESC, n DESC
    LIMIT 1
),
gone AS (
    DELETE FROM deliveries
    WHERE event_id = :event_id AND n = :n AND state = 'scheduled' AND EXISTS (SELECT 1 FROM newer)
    RETURNING {moved}
)
INSERT INTO ended_deliveries (state, finished_at, reason, {moved})
SELECT 'superseded', :now::bigint,
       (SELECT 'superseded by dlv_' || substr(event_id, 5) || '_' || n FROM newer), {moved}
FROM gone
RETURNING event_id, n, endpoint, key, leads

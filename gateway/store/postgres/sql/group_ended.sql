-- With each group its oldest, and what all of them come to.
WITH found (endpoint, reason, deliveries, event_id, n) AS (
    SELECT endpoint, reason_code, count(*), min(event_id), (array_agg(n ORDER BY event_id, n))[1]
    FROM ended_deliveries
    WHERE {where}
    GROUP BY endpoint, reason_code
)
SELECT endpoint, reason, deliveries, event_id, n, (sum(deliveries) OVER ())::bigint, count(*) OVER ()
FROM found
ORDER BY deliveries DESC, endpoint, reason
LIMIT ?

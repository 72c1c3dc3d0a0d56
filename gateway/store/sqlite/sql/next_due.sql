-- Steps from endpoint to endpoint along the index, and within each from priority to priority: a million
-- waiting rows cost nothing.
WITH RECURSIVE waiting (endpoint, priority) AS (
    SELECT * FROM (
        SELECT endpoint, priority
        FROM deliveries
        WHERE state = 'scheduled' AND waits_for IS NULL
        ORDER BY endpoint, priority
        LIMIT 1
    )
    UNION ALL
    SELECT d.endpoint, d.priority
    FROM waiting
    JOIN deliveries AS d
      ON (d.event_id, d.n) = (
          SELECT next.event_id, next.n
          FROM deliveries AS next
          WHERE next.state = 'scheduled'
            AND next.waits_for IS NULL
            AND (next.endpoint, next.priority) > (waiting.endpoint, waiting.priority)
          ORDER BY next.endpoint, next.priority
          LIMIT 1
      )
)
SELECT waiting.endpoint, min((
    SELECT min(d.due_at)
    FROM deliveries AS d
    WHERE d.state = 'scheduled'
      AND d.waits_for IS NULL
      AND d.endpoint = waiting.endpoint
      AND d.priority = waiting.priority
))
FROM waiting
GROUP BY waiting.endpoint

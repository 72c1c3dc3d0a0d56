-- Steps from endpoint to endpoint along the index, and looks at the first of each priority there: a million
-- waiting rows cost nothing.
WITH RECURSIVE waiting (endpoint) AS (
    SELECT min(endpoint) FROM deliveries WHERE state = 'scheduled' AND waits_for IS NULL
    UNION ALL
    SELECT (SELECT min(d.endpoint)
            FROM deliveries AS d
            WHERE d.state = 'scheduled' AND d.waits_for IS NULL AND d.endpoint > waiting.endpoint)
    FROM waiting
    WHERE waiting.endpoint IS NOT NULL
),
firsts (endpoint, due_at) AS (
    SELECT waiting.endpoint,
           (SELECT min(d.due_at)
            FROM deliveries AS d
            WHERE d.state = 'scheduled'
              AND d.waits_for IS NULL
              AND d.endpoint = waiting.endpoint
              AND d.priority = each.column1)
    FROM waiting
    CROSS JOIN (VALUES (0), (1), (2)) AS each
)
SELECT endpoint, min(due_at)
FROM firsts
WHERE due_at IS NOT NULL
GROUP BY endpoint

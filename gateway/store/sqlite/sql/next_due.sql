-- Steps from endpoint to endpoint along the index: a million waiting rows cost nothing.
WITH RECURSIVE waiting (endpoint) AS (
    SELECT min(endpoint) FROM deliveries WHERE state = 'scheduled'
    UNION ALL
    SELECT (SELECT min(d.endpoint)
            FROM deliveries AS d
            WHERE d.state = 'scheduled' AND d.endpoint > waiting.endpoint)
    FROM waiting
    WHERE waiting.endpoint IS NOT NULL
)
SELECT endpoint,
       (SELECT min(d.due_at)
        FROM deliveries AS d
        WHERE d.state = 'scheduled' AND d.endpoint = waiting.endpoint)
FROM waiting
WHERE endpoint IS NOT NULL

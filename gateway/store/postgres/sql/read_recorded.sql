SELECT e.id, e.source, e.key, e.received_at, e.content_type,
       e.body, e.head, e.data, e.data_start, e.data_end, e.sha256, e.data_key
FROM (
    SELECT id, size, sum(size) OVER (ORDER BY id ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS before
    FROM (
        SELECT id, length(body) + length(head) + coalesce(length(data), 0) AS size
        FROM events
        WHERE id > ? AND id < ? AND erased_at IS NULL
        ORDER BY id
        LIMIT ?
    )
) AS page
JOIN events AS e ON e.id = page.id
WHERE page.before IS NULL OR page.before + page.size <= ?
ORDER BY e.id

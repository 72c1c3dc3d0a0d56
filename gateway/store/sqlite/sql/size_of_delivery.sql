-- SQLite knows it without reading them.
SELECT length(e.body) + ifnull(length(d.body), 0)
FROM deliveries AS d
JOIN events AS e ON e.id = d.event_id
WHERE d.event_id = ? AND d.n = ?

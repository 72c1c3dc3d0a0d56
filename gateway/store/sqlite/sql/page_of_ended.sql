SELECT endpoint, event_id, n
FROM deliveries
WHERE {where}
ORDER BY {order}
LIMIT ?

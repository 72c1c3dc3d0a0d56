SELECT endpoint, event_id, n
FROM ended_deliveries
WHERE {where}
ORDER BY {order}
LIMIT ?

-- The last of so many, whether they fit or not; none where there are fewer.
SELECT endpoint, event_id, n
FROM ended_deliveries
WHERE {where}
ORDER BY {order}
LIMIT 1 OFFSET ?

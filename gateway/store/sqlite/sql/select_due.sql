SELECT event_id, n
FROM deliveries
WHERE endpoint = ? AND state = 'scheduled' AND due_at <= ?
ORDER BY due_at
LIMIT ?

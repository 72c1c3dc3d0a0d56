UPDATE deliveries
SET waits_for = NULL
WHERE event_id = ? AND n = ? AND state = 'scheduled' AND waits_for = 'after'
RETURNING endpoint, due_at

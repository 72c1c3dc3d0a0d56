UPDATE deliveries
SET waits_for = NULL, due_at = greatest(due_at, ?)
WHERE event_id = ? AND n = ? AND state = 'scheduled' AND waits_for = 'after'
RETURNING endpoint, due_at

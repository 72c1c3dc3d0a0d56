UPDATE deliveries
SET state = 'cancelled', waits_for = NULL, finished_at = ?, reason = ?
WHERE event_id = ? AND n = ? AND state = 'scheduled'
RETURNING event_id, n, endpoint, key, leads

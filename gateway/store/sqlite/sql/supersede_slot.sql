UPDATE deliveries
SET state = 'superseded', waits_for = NULL, finished_at = ?, reason = ?
WHERE slot = ? AND state = 'scheduled' AND (event_id, n) < (?, ?)
RETURNING event_id, n, endpoint, key, leads, attempts, since

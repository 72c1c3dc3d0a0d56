UPDATE deliveries
SET state = 'dead', lease = NULL, lease_until = NULL, finished_at = ?, reason = ?
WHERE event_id = ? AND n = ? AND state = 'leased'
RETURNING event_id, n, endpoint, key, leads

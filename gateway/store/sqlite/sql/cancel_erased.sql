UPDATE deliveries
SET state = 'cancelled', waits_for = NULL, finished_at = ?2
WHERE event_id IN (SELECT value FROM json_each(?1)) AND state = 'scheduled'
RETURNING event_id, n, endpoint, key, leads

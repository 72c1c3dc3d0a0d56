UPDATE deliveries
SET state = 'leased', lease = ?3, lease_until = ?4
WHERE event_id = ?1 AND n = ?2 AND state = 'scheduled'
RETURNING 1

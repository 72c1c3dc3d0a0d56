UPDATE deliveries
SET state = 'cancelled', finished_at = ?2
WHERE event_id IN (SELECT value FROM json_each(?1)) AND state = 'scheduled'

UPDATE deliveries
SET state = 'cancelled', finished_at = ?, reason = ?
WHERE event_id = ? AND n = ? AND state = 'scheduled'

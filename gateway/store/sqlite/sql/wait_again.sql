-- What was cancelled because the delivery before it had not been delivered waits for it again.
UPDATE deliveries
SET state = 'scheduled', finished_at = NULL, waits_for = 'after', round_from = attempts
WHERE event_id = ?1 AND state = 'cancelled' AND after IS NOT NULL AND substr(reason, 1, ?3) = ?2

UPDATE deliveries
SET waits_for = 'key', place = :place
WHERE event_id = :event_id AND n = :n AND state = 'scheduled'

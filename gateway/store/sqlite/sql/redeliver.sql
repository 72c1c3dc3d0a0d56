UPDATE deliveries
SET state = 'scheduled', due_at = ?, round_from = attempts, finished_at = NULL
WHERE event_id = ? AND n = ? AND state IN ('dead', 'cancelled')

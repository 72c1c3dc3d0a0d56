-- Nothing else has to end before it any more, and it expires no more: a person wants it sent.
UPDATE deliveries
SET state = 'scheduled', due_at = ?, round_from = attempts, finished_at = NULL, waits_for = NULL, expires_at = NULL
WHERE event_id = ? AND n = ? AND state IN ('dead', 'cancelled')
  AND NOT EXISTS (SELECT 1 FROM events WHERE id = event_id AND erased_at IS NOT NULL)
RETURNING leads

UPDATE confirmations
SET due_at = :until
WHERE event_id = :event_id AND route = :route AND due_at <= :now
RETURNING 1

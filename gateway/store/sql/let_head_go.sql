-- The head of a key's queue waits for its key no more. It may still wait for something else.
UPDATE deliveries
SET waits_for = NULL
WHERE waits_for = 'key'
  AND (event_id, n) = (
      SELECT event_id, n
      FROM deliveries
      WHERE endpoint = ?1 AND key = ?2 AND place IS NOT NULL AND state = 'scheduled'
      ORDER BY priority, place, n
      LIMIT 1
  )
  AND NOT EXISTS (
      SELECT 1
      FROM deliveries AS other
      WHERE other.endpoint = ?1 AND other.key = ?2 AND other.state = 'leased'
  )
RETURNING endpoint, due_at

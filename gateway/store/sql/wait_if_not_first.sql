-- Have a delivery wait whose turn it is not.
UPDATE deliveries
SET waits_for = 'key'
WHERE event_id = :event_id
  AND n = :n
  AND state = 'scheduled'
  AND (
      EXISTS (
          SELECT 1
          FROM deliveries AS other
          WHERE other.endpoint = :endpoint AND other.key = :key AND other.state = 'leased'
      )
      OR EXISTS (
          SELECT 1
          FROM deliveries AS other
          WHERE other.endpoint = :endpoint
            AND other.key = :key
            AND other.place IS NOT NULL
            AND other.state = 'scheduled'
            AND (other.priority, other.place, other.n) < (:priority, :place, :n)
      )
  )
RETURNING 1

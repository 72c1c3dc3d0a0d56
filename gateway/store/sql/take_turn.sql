-- Lease a delivery whose turn it is: none of its key is under way, and none stands before it.
UPDATE deliveries
SET state = 'leased', lease = :lease, lease_until = :lease_until, place = :place
WHERE event_id = :event_id
  AND n = :n
  AND state = 'scheduled'
  AND NOT EXISTS (
      SELECT 1
      FROM deliveries AS other
      WHERE other.endpoint = :endpoint AND other.key = :key AND other.state = 'leased'
  )
  AND NOT EXISTS (
      SELECT 1
      FROM deliveries AS other
      WHERE other.endpoint = :endpoint
        AND other.key = :key
        AND other.place IS NOT NULL
        AND other.state = 'scheduled'
        AND (other.priority, other.place, other.n) < (:priority, :place, :n)
  )
RETURNING 1

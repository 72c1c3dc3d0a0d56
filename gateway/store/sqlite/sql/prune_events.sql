-- Work that is not finished is never pruned, whatever has happened since the event was examined.
DELETE FROM events
WHERE id IN (SELECT value FROM json_each(?))
  AND NOT EXISTS (
      SELECT 1 FROM deliveries WHERE event_id = events.id AND state IN ('scheduled', 'leased')
  )
RETURNING id

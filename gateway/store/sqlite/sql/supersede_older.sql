-- A delivery that goes back on schedule, where a newer one has its slot by now.
UPDATE deliveries
SET state = 'superseded', waits_for = NULL, finished_at = :now,
    reason = (SELECT 'superseded by dlv_' || substr(newer.event_id, 5) || '_' || newer.n
              FROM deliveries AS newer
              WHERE newer.slot = :slot AND newer.state = 'scheduled' AND (newer.event_id, newer.n) > (:event_id, :n)
              ORDER BY newer.event_id DESC, newer.n DESC
              LIMIT 1)
WHERE event_id = :event_id
  AND n = :n
  AND state = 'scheduled'
  AND EXISTS (
      SELECT 1
      FROM deliveries AS newer
      WHERE newer.slot = :slot AND newer.state = 'scheduled' AND (newer.event_id, newer.n) > (:event_id, :n)
  )
RETURNING event_id, n, endpoint, key, leads

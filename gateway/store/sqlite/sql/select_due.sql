-- Of each priority, what is due the longest. Whatever else waits, each is a look at the start of a range.
SELECT *
FROM (SELECT priority, event_id, n, due_at, key, place, slot, expires_at
      FROM deliveries
      WHERE endpoint = :endpoint AND priority = 0 AND state = 'scheduled' AND waits_for IS NULL AND due_at <= :now
      ORDER BY due_at
      LIMIT :most)
UNION ALL
SELECT *
FROM (SELECT priority, event_id, n, due_at, key, place, slot, expires_at
      FROM deliveries
      WHERE endpoint = :endpoint AND priority = 1 AND state = 'scheduled' AND waits_for IS NULL AND due_at <= :now
      ORDER BY due_at
      LIMIT :most)
UNION ALL
SELECT *
FROM (SELECT priority, event_id, n, due_at, key, place, slot, expires_at
      FROM deliveries
      WHERE endpoint = :endpoint AND priority = 2 AND state = 'scheduled' AND waits_for IS NULL AND due_at <= :now
      ORDER BY due_at
      LIMIT :most)

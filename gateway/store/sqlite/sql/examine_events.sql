-- A page of events, and what decides about each. A key is looked at only where it may still count.
SELECT page.id,
       CASE WHEN page.id >= ?4 THEN (SELECT source FROM events WHERE id = page.id AND key IS NOT NULL) END,
       count(d.n) + ifnull(sum(d.attempts), 0),
       ifnull(sum(d.state IN ('scheduled', 'leased')), 0) > 0,
       ifnull(sum(d.state = 'dead'), 0) > 0,
       CASE WHEN count(d.n) = 0 THEN (SELECT matched = 0 FROM events WHERE id = page.id) ELSE 0 END,
       max(d.finished_at)
FROM (SELECT id FROM events WHERE id > ?1 AND id < ?2 ORDER BY id LIMIT ?3) AS page
LEFT JOIN deliveries AS d ON d.event_id = page.id
GROUP BY page.id
ORDER BY page.id

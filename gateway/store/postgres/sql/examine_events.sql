-- A page of events, and what decides about each. A key counts only where it may still be remembered.
SELECT page.id,
       CASE WHEN page.id >= ?4 AND page.key IS NOT NULL THEN page.source END,
       of_it.number + coalesce(of_it.attempts, 0),
       coalesce(of_it.unfinished, false),
       coalesce(of_it.dead, false),
       of_it.number = 0 AND page.matched = 0,
       of_it.ended_at
FROM (SELECT id, source, key, matched FROM events WHERE id > ?1 AND id < ?2 ORDER BY id LIMIT ?3) AS page
CROSS JOIN LATERAL (
    SELECT count(*) AS number, sum(attempts) AS attempts, bool_or(state IN ('scheduled', 'leased')) AS unfinished,
           bool_or(state = 'dead') AS dead, max(finished_at) AS ended_at
    FROM all_deliveries
    WHERE event_id = page.id
) AS of_it
ORDER BY page.id

SELECT 'scheduled', endpoint, count(*), min(due_at)
FROM deliveries
WHERE state = 'scheduled' AND waits_for IS NULL
GROUP BY endpoint
UNION ALL
SELECT 'behind', endpoint, count(*), min(due_at)
FROM deliveries
WHERE state = 'scheduled' AND waits_for IS NOT NULL
GROUP BY endpoint
UNION ALL
SELECT 'dead', endpoint, count(*), min(finished_at)
FROM ended_deliveries
WHERE state = 'dead'
GROUP BY endpoint
UNION ALL
SELECT 'unmatched', '', count(*), NULL::bigint
FROM events
WHERE matched = 0
UNION ALL
SELECT 'inbox', '', count(*) - (SELECT count(*) FROM inbox WHERE refused = 1), NULL::bigint
FROM inbox
UNION ALL
SELECT 'refused', '', count(*), NULL::bigint
FROM inbox
WHERE refused = 1

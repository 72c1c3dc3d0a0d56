SELECT 'scheduled', endpoint, count(*), min(due_at)
FROM deliveries
WHERE state = 'scheduled'
GROUP BY endpoint
UNION ALL
SELECT 'dead', endpoint, count(*), min(finished_at)
FROM deliveries
WHERE state = 'dead'
GROUP BY endpoint
UNION ALL
SELECT 'unmatched', '', count(*), NULL
FROM events
WHERE matched = 0
UNION ALL
SELECT 'inbox', '', count(*) - (SELECT count(*) FROM inbox WHERE refused = 1), NULL
FROM inbox
UNION ALL
SELECT 'refused', '', count(*), NULL
FROM inbox
WHERE refused = 1

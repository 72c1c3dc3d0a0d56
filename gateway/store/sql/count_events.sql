SELECT source, type, count(*)
FROM events
WHERE {where}
GROUP BY source, type
ORDER BY source, type

SELECT route, reason, detail, at
FROM withheld
WHERE event_id = ?
ORDER BY route

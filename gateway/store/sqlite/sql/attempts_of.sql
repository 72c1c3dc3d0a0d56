SELECT number, started_at, duration, outcome, status, reason, excerpt, calls
FROM attempts
WHERE event_id = ? AND n = ?
ORDER BY number

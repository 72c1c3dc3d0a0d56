SELECT number, started_at, duration, outcome, status, reason, excerpt, calls, data_key
FROM attempts
WHERE event_id = ? AND n = ?
ORDER BY number

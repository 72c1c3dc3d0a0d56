SELECT n, number, started_at, duration, outcome, status, reason, excerpt, calls, data_key
FROM attempts
WHERE event_id = ? AND n BETWEEN ? AND ?
ORDER BY n, number

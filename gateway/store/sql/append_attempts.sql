INSERT INTO attempts (event_id, n, number, started_at, duration, outcome, status, reason, excerpt, calls, data_key)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)

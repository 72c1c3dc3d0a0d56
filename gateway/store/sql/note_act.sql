INSERT INTO acts (event_id, n, key, endpoint, begun_at)
VALUES (?, ?, ?, ?, ?)
ON CONFLICT (event_id, n, key) DO NOTHING

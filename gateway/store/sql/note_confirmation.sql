INSERT INTO confirmations (event_id, route, due_at, otherwise)
VALUES (?, ?, ?, ?)
ON CONFLICT (event_id, route) DO NOTHING

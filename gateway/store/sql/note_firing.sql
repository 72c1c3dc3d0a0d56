INSERT INTO firings (route, value, event_id, fired_at)
VALUES (?, ?, ?, ?)
ON CONFLICT DO NOTHING
RETURNING 1

INSERT INTO positions (source, position)
VALUES (?, ?)
ON CONFLICT (source) DO UPDATE SET position = excluded.position

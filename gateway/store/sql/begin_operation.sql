INSERT INTO operations (id, action, filter, rate, started_at, due_at, pages, done, made, failed)
VALUES (?, ?, ?, ?, ?, ?, 0, 0, 0, 0)
ON CONFLICT (id) DO NOTHING
RETURNING 1

SELECT id, action, filter, rate, started_at, due_at, position, pages, done, made, failed, finished_at
FROM operations
WHERE id = ?

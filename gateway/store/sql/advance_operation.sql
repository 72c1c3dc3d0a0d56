UPDATE operations
SET pages = pages + 1, position = ?, due_at = ?, done = ?, made = ?, failed = ?, finished_at = ?
WHERE id = ?

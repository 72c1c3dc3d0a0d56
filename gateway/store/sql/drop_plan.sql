DELETE FROM plans WHERE id = ? RETURNING planner, key, due_at

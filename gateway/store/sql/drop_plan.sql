DELETE FROM plans WHERE id = ? RETURNING planner, key, event_id, due_at

DELETE FROM plans WHERE subject = ? RETURNING planner, key, event_id

DELETE FROM plans WHERE id IN (SELECT value FROM json_each(?)) RETURNING planner, key, event_id

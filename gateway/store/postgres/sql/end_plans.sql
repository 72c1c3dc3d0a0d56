DELETE FROM plans WHERE id = ANY(?::text[]) RETURNING planner, key, event_id

UPDATE inbox SET event_id = ? WHERE id = ? AND event_id IS NULL
RETURNING id

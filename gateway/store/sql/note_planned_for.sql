INSERT INTO planned_for (planner, key, as_of, event_id)
VALUES (?, ?, ?, ?)
ON CONFLICT (planner, key) DO UPDATE
SET as_of = excluded.as_of, event_id = excluded.event_id, answered = NULL, answered_at = NULL
WHERE excluded.as_of >= planned_for.as_of
RETURNING 1
